"""Processes that convert records, with limits of time and memory."""
