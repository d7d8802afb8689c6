"""What a loader reports about the streams that it wrote in one attempt. The format is in docs/contracts.md.

The report stays with the files of the attempt, because a stream's key is needed when they are published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

REPORT = ".streams.json"
"""The name of the report in the attempt's directory."""
_LARGEST = 16 * 1024 * 1024


class StreamReport(NamedTuple):
    """One stream: its file, the fields that identify a record, and counts.

    `violations` are records that do not match the stream's schema and `unchecked` those of a stream without a usable
    schema; both are kept. `discarded` records were not written.
    """

    file: str
    key: tuple[str, ...]
    records: int
    discarded: int
    violations: int
    unchecked: int


def read(attempt: Path) -> Mapping[str, StreamReport]:
    """The streams of an attempt by name; empty if its loader wrote no valid report."""
    try:
        with (attempt / REPORT).open("rb") as file:
            streams = json.loads(file.read(_LARGEST))["streams"]
        return {name: _stream(value) for name, value in streams.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def keys(attempt: Path) -> Mapping[str, tuple[str, ...]]:
    """The fields that identify a record, by file name."""
    return {stream.file: stream.key for stream in read(attempt).values()}


def _stream(value: Mapping[str, object]) -> StreamReport:
    key = value["key_properties"]
    if not isinstance(key, list) or not all(isinstance(name, str) for name in key):
        raise ValueError
    counts = [value[name] for name in ("records", "discarded", "violations", "unchecked")]
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise ValueError
    return StreamReport(str(value["file"] or ""), tuple(key), *counts)  # type: ignore[arg-type]
