"""Files that only their owner can read: private when they are created, and written atomically.

The mode is given to the call that creates the file. It is never repaired afterwards: between the two calls anybody
could have opened it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NewType

from lorchestra.base.errors import Code, Failure, from_os_error, visible

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
TEMPORARY = ".tmp~"

_LONGEST_HOLDER = 512
_HOLDER = re.compile(r"(PID [0-9]+ on [!-~]{1,255} since [0-9TZ:-]+)\n")

Lock = NewType("Lock", int)


def create(path: Path) -> BinaryIO:
    """A new private file, open for writing. Raises FileExistsError; never follows a link."""
    return os.fdopen(_open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")


def append(path: Path) -> int:
    """A descriptor that appends to a private file, which is created if missing. Each `os.write` is contiguous."""
    return _open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def append_line(path: Path, line: bytes, *, durable: bool = False) -> None:
    """Append one line to a private file, one process at a time; synchronize it if `durable`.

    If a crash left an incomplete last line, it is ended first, so that only that line is lost. Raises OSError with the
    file's name.
    """
    descriptor = _open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # otherwise another process's line in progress looks incomplete
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        whole = b"\n" * torn + line + b"\n"
        if os.write(descriptor, whole) < len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if durable:
            os.fsync(descriptor)
            if size == 0:
                sync_directory(path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Create a private directory and its missing parents. An existing one is left alone: `phi` checks those."""
    if os.path.isdir(path):  # the common case, at least once per task
        return
    for missing in reversed([p for p in (path, *path.parents) if not p.exists()]):
        with contextlib.suppress(FileExistsError):
            os.mkdir(missing, DIRECTORY_MODE)


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Write a file atomically: it gets the name `path` if the block succeeds; otherwise nothing is left.

    The content is written to a temporary file in the same directory, synchronized (if `durable`), then renamed.
    Raises Failure(NO_SPACE | PERMISSION | MISSING) for errors of the operating system.
    """
    temporary = temporary_name(path)
    try:
        with create(temporary) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if durable:
            sync_directory(path.parent)
    except OSError as error:
        raise from_os_error(error, path) from None
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file of this content atomically, see `replacing`."""
    with replacing(path, durable=durable) as file:
        file.write(content)


def temporary_name(path: Path) -> Path:
    """A new hidden name in the same directory, for the content that `path` will get."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}{TEMPORARY}")


@contextlib.contextmanager
def neutral_link(directory: Path) -> Iterator[Path]:
    """A link next to a directory's parent whose path tells nothing, for the argument list of a program.

    Every user can read arguments, and names of directories can be names of accounts. `sweep` removes the link of a
    killed process.
    """
    link = temporary_name(directory.parents[1] / "output")
    link.symlink_to(directory)
    try:
        yield link
    finally:
        link.unlink(missing_ok=True)


def sweep(directory: Path) -> int:
    """Remove the temporary files of killed writers; return how many. The caller must hold the directory's lock."""
    swept = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            left = entry.name.startswith(".") and entry.name.endswith(TEMPORARY)
            if left and not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                swept += 1
    return swept


def claim(file: BinaryIO) -> None:
    """Lock an open temporary file for as long as its writer lives, so that `sweep_orphans` leaves it alone."""
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep_orphans(path: Path) -> int:
    """Remove the temporary files that killed writers of `path` left next to it; return how many.

    Needs no lock on the directory: a file whose writer is alive is locked by it.
    """
    swept = 0
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY}"):
        try:
            with os.fdopen(_open(left, os.O_RDWR), "rb") as file:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
                swept += 1
        except OSError:
            continue
    return swept


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable (fsync)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(path: Path, *, wait: bool = False, create: bool = True) -> Lock:
    """Hold the exclusive lock of a file until `unlock` or the end of the process.

    Raises Failure(BUSY) when another process holds it and `wait` is false, FileNotFoundError if the file is missing and
    `create` is false. The system releases the lock when its holder dies, so that no stale lock is left.
    """
    descriptor = _open(path, os.O_RDWR | (os.O_CREAT if create else 0))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        holder = os.pread(descriptor, _LONGEST_HOLDER, 0)
        os.close(descriptor)
        raise Failure(Code.BUSY, _busy(path, holder)) from None
    return Lock(descriptor)


def announce(held: Lock) -> None:
    """Write into a lock's file who holds it, for the message that others get. Raises OSError."""
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    os.ftruncate(held, 0)
    os.pwrite(held, f"PID {os.getpid()} on {os.uname().nodename} since {began}\n".encode(), 0)


def _busy(path: Path, holder: bytes) -> str:
    match = _HOLDER.fullmatch(holder.decode("ascii", "replace"))
    known = f" ({match.group(1)})" if match else ""
    return f"Another run is in progress{known}. It holds {visible(str(path))}."


def unlock(held: Lock) -> None:
    """Release a lock."""
    os.close(held)


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
