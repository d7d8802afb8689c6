"""The three stages: the command to run, and the checks before and after it."""
