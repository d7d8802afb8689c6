"""The events of a run: the log, progress on the terminal, `--json` and the dashboard all show this one stream.

An event has a name and fields that events.schema.json lists. There is no message to format and no exception text, so
that nothing from a record can get in.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from lorchestra.storage import private

Field: TypeAlias = bool | int | float | str | list[str] | dict[str, int] | None
Progress: TypeAlias = Callable[[int, int], None]
"""Takes how many records of a task are done so far, and how many of them were rejected."""

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SCHEMA = Path(__file__).with_name("events.schema.json")
_LONGEST_TEXT = 500


class Log:
    """Appends events to `{directory}/pipeline-{date}.log` (the local date), private, one whole line a write."""

    def __init__(self, directory: Path, run_id: str, level: str = "INFO") -> None:
        self.listeners: list[Callable[[dict[str, Any]], None]] = []
        """Called with each event, whatever its level, one at a time and in the order of `seq`."""
        self._directory = directory
        self._run_id = run_id
        self._least = LEVELS.index(level)
        self.last = 0
        """The number of the last event."""
        self._lock = threading.Lock()

    def event(self, name: str, stage: str | None = None, level: str = "INFO", **metadata: Field) -> None:
        """Write an event. Text longer than 500 characters is cut; whatever is not ASCII is escaped.

        Raises ValueError for a name or a field that the schema does not know.
        """
        known = _fields().get(name)
        if known is None or not metadata.keys() <= known:
            raise ValueError("an event and its fields are listed in events.schema.json")
        with self._lock:
            now = datetime.now(UTC)
            self.last += 1
            line = {
                "timestamp": timestamp(now),
                "level": level,
                "run_id": self._run_id,
                "seq": self.last,
                "stage": stage,
                "event": name,
                "metadata": _checked(metadata),
            }
            if LEVELS.index(level) >= self._least:
                date = f"{now.astimezone():%Y%m%d}"  # local, as in the names of raw files
                private.append_line(self._directory / f"pipeline-{date}.log", json.dumps(line).encode("ascii"))
            for listener in self.listeners:
                listener(line)


def timestamp(moment: datetime) -> str:
    """A moment as the log and the state write it: UTC, milliseconds, `2025-11-12T10:30:45.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@functools.cache
def _fields() -> dict[str, frozenset[str]]:
    """The fields of each event."""
    events = json.loads(SCHEMA.read_bytes())["$defs"]["events"]
    return {name: frozenset(event["properties"]) for name, event in events.items()}


def _checked(metadata: Mapping[str, Field]) -> dict[str, Field]:
    return {key: _text(value) if isinstance(value, str) else value for key, value in metadata.items()}


def _text(value: str) -> str:
    """Cut, and without the lone surrogates that stand for the odd bytes of a file's name: no JSON may hold them."""
    return value[:_LONGEST_TEXT].encode("utf-8", "backslashreplace").decode()
