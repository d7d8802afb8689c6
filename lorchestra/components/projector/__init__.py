"""`vector-projector`: canonical records in a store that can be trusted, searched and purged."""
