"""What happened: receipts beside the targets, the state of the last run, the history of runs."""
