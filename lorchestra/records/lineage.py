"""The lineage file: the raw lines and the transform that each canonical line was made from.

It is written after the output and the rejects, and contains their digests: a lineage that matches its output proves
that the output is complete. docs/contracts.md describes the format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FORMAT = "lorchestra.lineage/1"

COUNTS = ("records_in", "records_out", "rejected", "dropped")
"""The counts of each input. A record is dropped if the transform returns nothing for it."""


class Digest:
    """Computes size and SHA-256 of a stream of bytes."""

    def __init__(self) -> None:
        self._bytes = 0
        self._sha256 = hashlib.sha256()

    def update(self, part: bytes) -> None:
        """Add the next bytes."""
        self._bytes += len(part)
        self._sha256.update(part)

    def as_entry(self) -> dict[str, Any]:
        """The fields of a file's entry in the lineage."""
        return {"bytes": self._bytes, "sha256": self._sha256.hexdigest()}


class Runs:
    """Maps canonical lines to raw lines, as ranges: `[first canonical line, first raw line, number of lines]`."""

    def __init__(self, next_line: int) -> None:
        self.runs: list[list[int]] = []
        self._next = next_line

    def extend(self, sources: Iterable[int]) -> None:
        """Add the raw line of each following canonical line."""
        for source in sources:
            last = self.runs[-1] if self.runs else None
            if last and source == last[1] + last[2]:
                last[2] += 1
            else:
                self.runs.append([self._next, source, 1])
            self._next += 1


def output_entry(name: str, digest: Digest, records: int) -> dict[str, Any]:
    """The entry of the output or of the rejects; `name` is relative to the canonical directory."""
    return {"name": name, **digest.as_entry(), "records": records}


def input_entry(
    name: str, digest: Digest, counts: Mapping[str, int], transform: Mapping[str, Any], lines: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """The entry of a raw file. `lines` are `Runs.runs`, empty if the canonizer does not know them."""
    return {
        "name": name,
        **digest.as_entry(),
        **{count: counts[count] for count in COUNTS},
        "transform": dict(transform),
        "lines": lines,
    }


def document(
    *,
    output: Mapping[str, Any],
    rejects: Mapping[str, Any] | None,
    inputs: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    recipe: Mapping[str, str] | None,
    canonizer: Mapping[str, Any],
) -> dict[str, Any]:
    """A lineage, ready to be written as JSON. It contains no time: the same inputs give the same bytes."""
    return {
        "format": FORMAT,
        "output": output,
        "rejects": rejects,
        "inputs": inputs,
        "settings": settings,
        **({} if recipe is None else {"recipe": recipe}),
        "canonizer": canonizer,
    }


def read(path: Path) -> dict[str, Any] | None:
    """The content of a lineage file; None if it is missing or damaged."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and document.get("format") == FORMAT else None


def raw_line(document: Mapping[str, Any], line: int) -> tuple[Mapping[str, Any], int] | None:
    """The input, and the line in it, that a canonical line was made from; None if the canonizer did not say."""
    for entry in document["inputs"]:
        for canonical, raw, count in entry["lines"]:
            if canonical <= line < canonical + count:
                return entry, raw + line - canonical
    return None


def canonical_lines(entry: Mapping[str, Any], line: int) -> list[int]:
    """The canonical lines that were made from a line of an input, in order."""
    return [canonical + line - raw for canonical, raw, count in entry["lines"] if raw <= line < raw + count]
