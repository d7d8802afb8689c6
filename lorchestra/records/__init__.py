"""Formats that several programs share, each defined once."""
