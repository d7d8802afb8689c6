"""Object files: names, envelopes, identity."""
