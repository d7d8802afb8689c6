"""One verb, one file: `arguments` declares, `run` works and prints, and returns the exit status."""
