"""Dates as sources write them, as ISO 8601 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

LONGEST = 256
_DIGITS = re.compile(r"-?\d{1,15}")
_EPOCH = datetime(1970, 1, 1)
_FRACTION = re.compile(r"(\.\d{6})\d+")
# Most sources write the target format already; then only the date must be checked.
_TARGET = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(?!000)\d{3})?Z", re.ASCII)
# RFC 5322 as programs write it today; the standard library reads the obsolete forms.
_MAIL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d\d?) ([A-Z][a-z]{2}) ([1-9]\d{3}) (\d\d:\d\d:\d\d) ([+-](?:0\d|1[0-4])[0-5]\d)", re.ASCII
)
# What follows the time: a zone, the year as asctime() writes it, comments. The standard library would ignore the rest.
_MAIL_TIME = re.compile(
    r"\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?:\s*(?P<zone>[+-]\d\d:?\d\d|[A-Za-z]{1,5}(?:[+-]\d{1,2}:?\d{0,2})?))?"
    r"(?:\s+\d{4})?(?:\s*\([^()]*\))*\s*\Z",
    re.ASCII,
)
_NEVER = 1
"""The year of .NET's smallest date, which Microsoft's APIs use for "never"."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERS = {month: f"{number:02}" for number, month in enumerate(_MONTHS, 1)}


def iso_date(value: Any = None, *_: Any) -> list[str]:
    """A time, given as text or milliseconds since 1970, as `2025-11-12T10:30:45Z`; [] if it is not a time."""
    if isinstance(value, bool):
        return []
    try:
        if isinstance(value, str) and len(value) <= LONGEST:
            return [_converted(value.strip())]
        if isinstance(value, int | float):
            return [_formatted(_EPOCH + timedelta(milliseconds=value))]
    except (ValueError, OverflowError):
        pass
    return []


def _converted(text: str) -> str:
    if _TARGET.fullmatch(text):
        if datetime.fromisoformat(text).year == _NEVER:
            raise ValueError
        return text
    if _DIGITS.fullmatch(text) and len(text.lstrip("-")) > 8:
        return _formatted(_EPOCH + timedelta(milliseconds=int(text)))
    return _formatted(_parsed(text))


def _parsed(text: str) -> datetime:
    if (plain := _MAIL.fullmatch(text)) and plain[2] in _NUMBERS:
        day, month, year, time, zone = plain.groups()
        return datetime.fromisoformat(f"{year}-{_NUMBERS[month]}-{day:0>2}T{time}{zone}")
    try:
        return datetime.fromisoformat(_FRACTION.sub(r"\1", text) if len(text) > 26 else text)
    except ValueError:
        return mail_date(text)


def mail_date(text: str) -> datetime:
    """A date of a mail header. Raises ValueError if it is not a date, or if anything but a zone follows the time."""
    from email.utils import parsedate_to_datetime

    found = _MAIL_TIME.search(text)
    if not found:
        raise ValueError
    zone, colon = found["zone"] or "", found["zone"] and ":" in found["zone"]
    return parsedate_to_datetime(text[: found.start("zone")] + zone.replace(":", "") if colon else text)


def _formatted(moment: datetime) -> str:
    if moment.year == _NEVER:
        raise ValueError
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond >= 1000 else "seconds") + "Z"
