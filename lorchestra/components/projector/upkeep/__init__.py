"""Opening, verifying, repairing and purging a store."""
