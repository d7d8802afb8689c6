"""Files in the making: private, beside their names, and several of them published together or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.records.lineage import Digest
from lorchestra.storage import private


class Draft:
    """The coming content of a file. An empty one that is `optional` removes the file when it is published."""

    def __init__(self, path: Path, *, optional: bool = False) -> None:
        self.path = path
        self.digest = Digest()
        self.empty = True
        self._optional = optional
        with _told(path):
            if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
                raise Failure(Code.USAGE, f"{path}: not a regular file, and nothing else is replaced")
            private.make_directory(path.parent)
            self._temporary = private.temporary_name(path)
            self._file: BinaryIO = private.create(self._temporary)

    def write(self, part: bytes) -> None:
        """Append to it. Raises Failure(NO_SPACE)."""
        if part:
            self.empty = False
            self.digest.update(part)
            with _told(self.path):
                self._file.write(part)

    def settle(self) -> None:
        """Make the content durable."""
        with _told(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def take_place(self) -> None:
        """Take the name."""
        with _told(self.path):
            if self._optional and self.empty:
                self.path.unlink(missing_ok=True)
            else:
                os.replace(self._temporary, self.path)

    def discard(self) -> None:
        """Leave no trace; harmless after `take_place`."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def drafting(*paths: Path, optional: Sequence[Path] = ()) -> Iterator[list[Draft]]:
    """Drafts of files, discarded at the end of the block unless they were published in it."""
    drafts: list[Draft] = []
    try:
        for path in paths:
            drafts.append(Draft(path, optional=path in optional))  # noqa: PERF401 - what was made must be discarded
        yield drafts
    finally:
        for draft in drafts:
            draft.discard()


def publish(drafts: Sequence[Draft]) -> None:
    """Let drafts take their names, in this order, once all are durable. Raises Failure(NO_SPACE | PERMISSION)."""
    for draft in drafts:
        draft.settle()
    for draft in drafts:
        draft.take_place()
    for directory in {draft.path.parent for draft in drafts}:
        with _told(directory):
            private.sync_directory(directory)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    failure: Failure | None = None
    try:
        yield
    except OSError as error:
        failure = from_os_error(error, path)
    if failure:
        raise failure
