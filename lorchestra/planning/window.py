"""Time windows: which records `lorchestra extract` requests, and how a source learns it.

A source's `window:` in pipeline.yaml maps environment variables, or settings of a Meltano extractor, to templates:

    window:
      TAP_GMAIL_MESSAGES_Q: "after:{from:%Y/%m/%d}[ before:{to:%Y/%m/%d}]"
      start_date: "{from_utc}"

`{from}` and `{to}` are the begin and the end (exclusive) in local time, `{from_utc}` and `{to_utc}` in UTC. A format of
`strftime` may follow a colon; without one, the moment is written as ISO 8601 says. Text in brackets is left out if the
window has no end.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_LAST = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_FIELD = re.compile(r"\{(from|to)(_utc)?(?::([^{}]*))?\}")


@dataclass(frozen=True)
class Window:
    """Which records are wanted: those from `start` until before `end`, where given.

    `full_refresh`: everything, whatever the bookmark says, and the bookmark moves. With a start, the bookmark stays.
    """

    start: datetime | None = None
    end: datetime | None = None
    full_refresh: bool = False

    def fill(self, templates: Mapping[str, str]) -> dict[str, str]:
        """The templates with the moments filled in; nothing if the window has no start."""
        return {name: self._fill(template) for name, template in templates.items()} if self.start else {}

    def _fill(self, template: str) -> str:
        kept = _OPTIONAL.sub(r"\1" if self.end else "", template)
        return _FIELD.sub(self._moment, kept)

    def _moment(self, field: re.Match[str]) -> str:
        name, utc, style = field.groups()
        moment = self.start if name == "from" else self.end or datetime.now(UTC)
        assert moment
        shown = moment.astimezone(UTC) if utc else moment.astimezone()
        if style == "%s":
            return str(int(shown.timestamp()))
        return shown.strftime(style) if style else shown.isoformat(timespec="seconds").replace("+00:00", "Z")


def last(text: str) -> datetime:
    """The begin of "the last 7d", for argparse: hours, days or weeks before now."""
    match = _LAST.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError("expected a number of hours, days or weeks, such as 36h, 7d or 2w")
    return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})


def begin(text: str) -> datetime:
    """The begin of a window, for argparse: a date is its midnight in local time."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("expected a date such as 2025-11-01, or a time in ISO 8601") from None


def end(text: str) -> datetime:
    """The end of a window, exclusive, for argparse: a date includes that day."""
    moment = begin(text)
    return moment + timedelta(days=1) if _DATE.fullmatch(text) else moment
