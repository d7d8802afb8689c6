"""What happens to one record: parsing, schemas, transform. Knows no processes."""
