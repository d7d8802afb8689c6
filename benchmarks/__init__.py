"""The programs of this package beside what a user would pick instead, on the same work: `python -m benchmarks`."""
