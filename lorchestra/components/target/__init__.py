"""A Singer target that writes one raw file per stream."""
