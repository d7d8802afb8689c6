"""Where canonical records go."""
