"""A local-first, Makefile-like pipeline for health records."""

__version__ = "0.2.0"
