"""What Meltano's log tells about a run: counts, streams, and why it failed. Nothing else is taken from a line.

Safe to keep are event names, counts, exit codes and the *types* of exceptions. Messages are never read: they can hold
values of records.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_PARTS = ("extractor", "mapper", "loader")
_NOT_AN_EVENT = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
_STREAM = re.compile(r"[A-Za-z0-9_.-]{1,80}")

_EXCEPTIONS: Mapping[str, tuple[str, str]] = {
    "InvalidCredentialsError": ("authentication failed", "Renew the credentials of the source."),
    "RefreshError": ("authentication failed", "Renew the credentials of the source."),
    "Unauthorized": ("authentication failed", "Renew the credentials of the source."),
    "FatalAPIError": ("the source refused the request", "Check the credentials and permissions of the source."),
    "RetriableAPIError": ("the source did not answer (rate limit or outage)", "Run again later."),
    "TooManyRequests": ("rate limit reached", "Run again later."),
    "StateIDLockedError": ("its state is locked by another run", "Wait for the other Meltano run to end."),
    "PluginExecutionError": ("a plugin could not be executed", "Run `meltano install`."),
    "ExecutableNotFoundError": ("a plugin is not installed", "Run `meltano install`."),
    "PluginNotFoundError": ("a plugin is not defined in meltano.yml", "Check meltano.yml."),
    "LineLengthLimitExceededError": ("a record is longer than Meltano allows", "Raise elt.buffer_size in meltano.yml."),
    "DiscoveryFailedError": ("discovery of streams failed", "Check the credentials of the source."),
    "ConnectionError": ("the source could not be reached", "Check the network, then run again."),
}
"""By the name of an exception's class: what it means, and what to do."""
_MARKERS: Mapping[bytes, str] = {
    b"DiscoveryFailedError": "DiscoveryFailedError",
    b"Catalog discovery failed": "DiscoveryFailedError",
    b"already running": "StateIDLockedError",
    b"ExecutableNotFoundError": "ExecutableNotFoundError",
    b"could not be found: it may not have been installed": "ExecutableNotFoundError",
    b"LineLengthLimitExceeded": "LineLengthLimitExceededError",
    b"Output line length limit exceeded": "LineLengthLimitExceededError",
}
"""Texts of Meltano's own that stand for an exception which it does not name in its events."""


class Events:
    """Collects counts and reasons from the lines of Meltano's log."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        """`progress` is called with the number of records so far."""
        self._progress = progress
        self.records = 0
        self.streams: Counter[str] = Counter()
        """Records by stream, for the streams that the extractor names in its metrics."""
        self._failed_part = ""
        self._causes: dict[str, None] = {}

    def line(self, line: bytes) -> None:
        """Take in a line of the log."""
        if b"record_count" in line and (counted := _record_count(line)):
            count, stream = counted
            self.records += count
            if stream:
                self.streams[stream] += count
            self._progress(self.records)
        if b'"exit_codes"' in line:
            self._failed_part = _failed_part(line) or self._failed_part
        self._causes.update(dict.fromkeys(_causes(line)))

    @property
    def reasons(self) -> Iterator[str]:
        """Why the run failed, as far as the log tells."""
        if self._failed_part:
            yield self._failed_part
        yield from (_EXCEPTIONS[cause][0] for cause in self._causes)

    @property
    def advice(self) -> str:
        """What to do about the first known cause; empty if none is known."""
        return next((_EXCEPTIONS[cause][1] for cause in self._causes), "")


def _record_count(line: bytes) -> tuple[int, str] | None:
    """Count and stream in a line that an extractor's metric makes; None for any other line."""
    try:
        event = json.loads(line)
        metric: Any = event.get("metric_info")
        if metric is None:
            metric = json.loads(event["event"].partition("METRIC: ")[2])
        kind = metric.get("type", metric.get("metric_type"))
        if not (event.get("producer") and metric["metric"] == "record_count" and kind == "counter"):
            return None
        tags = metric.get("tags") or {}
        stream = tags.get("stream") or tags.get("endpoint", "")  # taps made with the SDK, with singer-python
        known = isinstance(stream, str) and _STREAM.fullmatch(stream)
        count = int(metric["value"])
        return (count, stream if known else "") if count > 0 else None
    except _NOT_AN_EVENT:
        return None


def _failed_part(line: bytes) -> str:
    """The first part that `exit_codes` of the last event names, such as "its extractor ended with status 1"."""
    try:
        codes = json.loads(line)["exit_codes"]
        return next(f"its {part} ended with status {codes[f'{part}s']:d}" for part in _PARTS if f"{part}s" in codes)
    except (*_NOT_AN_EVENT, StopIteration):
        return ""


def _causes(line: bytes) -> Iterator[str]:
    """The known exceptions that a line stands for."""
    yield from (cause for marker, cause in _MARKERS.items() if marker in line)
    if b'"plugin_exception"' not in line and b'"exc_type"' not in line:
        return
    try:
        event = json.loads(line)
        exception = event.get("plugin_exception") or {}
        name = str(exception.get("type") or event.get("exc_type")).rpartition(".")[2]
    except _NOT_AN_EVENT:
        return
    if name in _EXCEPTIONS:
        yield name
