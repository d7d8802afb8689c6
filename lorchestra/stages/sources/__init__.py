"""Where raw records come from, one module a type."""
