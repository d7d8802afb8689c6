"""The log: one JSON object a line, data first, never a word of a record.

An event has a constant name and a few fields of known types. There is no message to format and no exception text, so
that nothing from a record has a way in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from lorchestra.storage import private

Field: TypeAlias = bool | int | float | str | list[str] | dict[str, int] | None

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_EVENT = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_TEXT = 500


class Log:
    """Appends events to `{directory}/pipeline-{date}.log` (the local date), private, one whole line a write."""

    def __init__(self, directory: Path, run_id: str, level: str = "INFO") -> None:
        self._directory = directory
        self._run_id = run_id
        self._least = LEVELS.index(level)

    def event(self, name: str, stage: str | None = None, level: str = "INFO", **metadata: Field) -> None:
        """Write an event. Text longer than 500 characters is cut; whatever is not ASCII is escaped."""
        if LEVELS.index(level) < self._least:
            return
        if not _EVENT.fullmatch(name):
            raise ValueError("an event's name is a constant in lower case")
        now = datetime.now(UTC)
        line = {
            "timestamp": timestamp(now),
            "level": level,
            "run_id": self._run_id,
            "stage": stage,
            "event": name,
            "metadata": _checked(metadata),
        }
        date = f"{now.astimezone():%Y%m%d}"  # local, as in the names of raw files
        private.append_line(self._directory / f"pipeline-{date}.log", json.dumps(line).encode("ascii"))


def timestamp(moment: datetime) -> str:
    """A moment as the log and the state write it: UTC, milliseconds, `2025-11-12T10:30:45.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _checked(metadata: Mapping[str, Field]) -> dict[str, Field]:
    return {key: _text(value) if isinstance(value, str) else value for key, value in metadata.items()}


def _text(value: str) -> str:
    """Cut, and without the lone surrogates that stand for the odd bytes of a file's name: no JSON may hold them."""
    return value[:_LONGEST_TEXT].encode("utf-8", "backslashreplace").decode()
