"""One run at a time works on a source, even if an earlier run was killed and its program still runs.

The program that is started under the lock inherits it. If we are killed, the program still holds the lock, so that no
second one starts next to it; the next run stops the orphan and takes over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from lorchestra.base.errors import Code, Failure
from lorchestra.platform.processes import has_open
from lorchestra.process import guard, runner
from lorchestra.storage import private


class SourceLock:
    """A held lock. Pass `descriptor` to the program as inherited, and its process group to `started`."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._write(f"{os.getpid()} 0")

    def started(self, group: int) -> None:
        """Record the process group that works under this lock."""
        self._write(f"{os.getpid()} {group}")

    def _write(self, text: str) -> None:
        os.pwrite(self.descriptor, f"{text:<30}\n".encode(), 0)


@contextlib.contextmanager
def hold_source(path: Path) -> Iterator[SourceLock]:
    """Hold the lock file at `path`. Raises Failure(BUSY) while another run, still alive, holds it."""
    private.make_directory(path.parent)
    descriptor = _lock(path)
    if descriptor is None:
        descriptor = _after_orphan(path)
    if descriptor is None:
        raise Failure(Code.BUSY, f"another run is extracting {path.stem}")
    try:
        yield SourceLock(descriptor)
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough: a daemon may have inherited it
        private.unlock(private.Lock(descriptor))


def _lock(path: Path) -> int | None:
    try:
        return private.lock(path)
    except Failure as failure:
        if failure.code is not Code.BUSY:
            raise
    return None


def _after_orphan(path: Path) -> int | None:
    """The lock, after the program of a killed run was stopped; None if its run is alive or the orphan is unknown."""
    try:
        owner, group = map(int, path.read_text().split())
    except ValueError:
        return None
    # A process id may have been reused: the process must have the lock file open.
    if has_open(owner, path) or not has_open(group, path):
        return None
    for number, seconds in ((signal.SIGTERM, guard.GRACE_SECONDS), (signal.SIGKILL, 2.0)):
        runner.signal_group(group, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            descriptor = _lock(path)
            if descriptor is not None:
                runner.signal_group(group, signal.SIGKILL)  # what the orphan left running
                return descriptor
            time.sleep(0.05)
    return None
