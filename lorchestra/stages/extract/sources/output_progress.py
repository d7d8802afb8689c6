"""How many records a running program has written: the lines of its files, counted as they grow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_SECONDS = 1.0
_CHUNK = 1 << 20


class OutputProgress:
    """Reports the number of lines in a directory's files, at most once a second."""

    def __init__(self, directory: Path, progress: Callable[[int], None]) -> None:
        self._directory = directory
        self._progress = progress
        self._looked = time.monotonic()
        self._offsets: dict[str, int] = {}
        self._lines = 0

    def __call__(self) -> None:
        """Look at what was added, if it is time."""
        if time.monotonic() - self._looked < _SECONDS:
            return
        for entry in os.scandir(self._directory):
            if entry.is_file(follow_symlinks=False):
                self._count(entry.path)
        self._looked = time.monotonic()
        if self._lines:
            self._progress(self._lines)

    def _count(self, path: str) -> None:
        try:
            with open(path, "rb") as file:
                file.seek(self._offsets.get(path, 0))
                while chunk := file.read(_CHUNK):
                    self._lines += chunk.count(b"\n")
                self._offsets[path] = file.tell()
        except OSError:  # the program has renamed or removed it
            return
