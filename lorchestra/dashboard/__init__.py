"""The local web page: what runs now, earlier runs, trends, alerts. It reads events and run records, never a record."""
