"""Where files are stored: private, atomic, listed."""
