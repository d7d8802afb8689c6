"""How numbers and times are written for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lorchestra.base.errors import visible

_LISTED = 5


def counted(count: int, noun: str) -> str:
    """A number with its noun: `1 file`, `1,200 files`. The plural of a noun is formed with s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """The first five names, for a message: `a, b and 3 more`. Control characters are escaped."""
    shown = ", ".join(visible(name) for name in names[:_LISTED])
    return shown + (f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else "")


def local_time(timestamp: str) -> str:
    """An ISO 8601 timestamp in the local time zone: `2025-11-12 11:30:45 CET`."""
    return f"{datetime.fromisoformat(timestamp).astimezone():%Y-%m-%d %H:%M:%S %Z}"
