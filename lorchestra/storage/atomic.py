"""Atomic writes of one or several files: write to private temporary files, fsync all of them, then rename.

A reader sees the old or the new content of each file, never a part. Several files are renamed in a given order, so that
the last one (such as a lineage file) can vouch for those before it. For a single file see `private.replacing`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from lorchestra.base.errors import Code, Failure, from_os_error, visible
from lorchestra.records.lineage import Digest
from lorchestra.storage import private


class AtomicFile:
    """The new content of a file. If it is `optional` and stays empty, `commit` removes the file."""

    def __init__(self, path: Path, *, optional: bool = False) -> None:
        """Create the temporary file. Raises Failure(USAGE) where something other than a file has the name."""
        self.path = path
        self.digest = Digest()
        self.empty = True
        self._optional = optional
        with _failures(path):
            if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
                raise Failure(Code.USAGE, f"{visible(str(path))}: not a regular file, so it is not replaced")
            private.make_directory(path.parent)
            self._temporary = private.temporary_name(path)
            self._file: BinaryIO = private.create(self._temporary)
            private.claim(self._file)  # a killed writer's file is not locked any more: see `sweep_orphans`

    def write(self, part: bytes) -> None:
        """Append to the new content. Raises Failure(NO_SPACE)."""
        if part:
            self.empty = False
            self.digest.update(part)
            with _failures(self.path):
                self._file.write(part)

    def fsync(self) -> None:
        """Make the new content durable. Raises Failure(NO_SPACE)."""
        with _failures(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def commit(self) -> None:
        """Give the new content the file's name. The caller makes the directory durable."""
        with _failures(self.path):
            if self._optional and self.empty:
                self.path.unlink(missing_ok=True)
            else:
                os.replace(self._temporary, self.path)

    def discard(self) -> None:
        """Remove the temporary file; no effect after `commit`."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def stage(*paths: Path, optional: Sequence[Path] = ()) -> Iterator[list[AtomicFile]]:
    """Temporary files for the new content of `paths`. What is not committed in the block is discarded at its end."""
    files: list[AtomicFile] = []
    try:
        for path in paths:
            files.append(AtomicFile(path, optional=path in optional))  # noqa: PERF401 - all before a failure count
        yield files
    finally:
        for file in files:
            file.discard()


def commit(files: Sequence[AtomicFile]) -> None:
    """Make all contents durable, then rename in this order. Raises Failure(NO_SPACE | PERMISSION)."""
    for file in files:
        file.fsync()
    for file in files:
        file.commit()
    for directory in {file.path.parent for file in files}:
        with _failures(directory):
            private.sync_directory(directory)


@contextlib.contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise from_os_error(error, path) from None
