"""What happened: the log, the runs, the summary."""
