"""How numbers and times are written for people."""

from __future__ import annotations

from datetime import datetime


def counted(count: int, noun: str) -> str:
    """A number with its noun: `1 file`, `1,200 files`. The plural of a noun is formed with s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def local_time(timestamp: str) -> str:
    """An ISO 8601 timestamp in the local time zone: `2025-11-12 11:30:45 CET`."""
    return f"{datetime.fromisoformat(timestamp).astimezone():%Y-%m-%d %H:%M:%S %Z}"
