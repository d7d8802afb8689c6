"""Converts one record: parsing, schemas, transform. No processes here."""
