"""Dates as sources write them, as ISO 8601 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

_DIGITS = re.compile(r"-?\d{1,15}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"(\.\d{6})\d+")
LONGEST = 256


def iso_date(value: Any = None, *_: Any) -> list[str]:
    """A moment given as text or milliseconds since 1970, as `2025-11-12T10:30:45Z`; [] where it is none."""
    moment: datetime | None = None
    if isinstance(value, bool):
        return []
    try:
        if isinstance(value, int | float):
            moment = _EPOCH + timedelta(milliseconds=value)
        elif isinstance(value, str) and len(value) <= LONGEST:
            moment = _parsed(value.strip())
        return [] if moment is None else [_written(moment)]
    except (ValueError, OverflowError):
        return []


def _parsed(text: str) -> datetime | None:
    if _DIGITS.fullmatch(text) and len(text.lstrip("-")) > 8:
        return _EPOCH + timedelta(milliseconds=int(text))
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text) if len(text) > 26 else text)
    except ValueError:
        moment = _mail_date(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _mail_date(text: str) -> datetime:
    from email.utils import parsedate_to_datetime

    return parsedate_to_datetime(text)


def _written(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    kind = "milliseconds" if moment.microsecond >= 1000 else "seconds"
    return moment.isoformat(timespec=kind).replace("+00:00", "Z")
