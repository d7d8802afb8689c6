"""What has to be done and why. Knows no doit and starts no program."""
