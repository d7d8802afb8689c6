"""The types of sources, one module each."""
