"""The three stages: the command to run, the checks before and after it."""
