"""The lineage file: where each canonical line came from. It is written last and proves that an output is complete.

docs/contracts.md describes the format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FORMAT = "lorchestra.lineage/1"


class Digest:
    """Size and SHA-256 of bytes as they pass."""

    def __init__(self) -> None:
        self._bytes = 0
        self._sha256 = hashlib.sha256()

    def update(self, part: bytes) -> None:
        """Take in the next bytes."""
        self._bytes += len(part)
        self._sha256.update(part)

    def told(self) -> dict[str, Any]:
        """As a lineage writes it."""
        return {"bytes": self._bytes, "sha256": self._sha256.hexdigest()}


class Runs:
    """Which raw line gave which canonical line: `[first canonical line, first raw line, how many]`."""

    def __init__(self, next_line: int) -> None:
        self.runs: list[list[int]] = []
        self._next = next_line

    def extend(self, sources: Iterable[int]) -> None:
        """Take in the raw line of each further canonical line."""
        for source in sources:
            last = self.runs[-1] if self.runs else None
            if last and source == last[1] + last[2]:
                last[2] += 1
            else:
                self.runs.append([self._next, source, 1])
            self._next += 1


def read(path: Path) -> dict[str, Any] | None:
    """A lineage file's content (see docs/contracts.md); None where it is missing or not one."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and document.get("format") == FORMAT else None
