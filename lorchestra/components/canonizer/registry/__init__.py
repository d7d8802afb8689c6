"""A registry of transforms: files, metadata, and writing to it."""
