"""Processes that convert records, bounded in time and memory."""
