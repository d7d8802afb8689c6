"""How records are found and shown."""
