"""Stage 1: sources are queried and their records published as raw files."""
