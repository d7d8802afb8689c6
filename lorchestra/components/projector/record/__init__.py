"""A canonical record: its schema and its line in a canonical file."""
