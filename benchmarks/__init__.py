"""lorchestra's programs compared with alternatives on the same work: `python -m benchmarks`."""
