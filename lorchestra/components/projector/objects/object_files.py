"""Object files: written atomically, read and verified."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.components.projector.objects import envelope
from lorchestra.components.projector.objects.layout import ObjectName, Store
from lorchestra.platform import descriptors
from lorchestra.storage import private

_BLOCK = 1024 * 1024
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def write(root: str, path: str, sealed: bytes) -> None:
    """Write the object at `path` below `root` atomically. It is durable after the next `sync`."""
    directory, _, file = path.rpartition("/")
    directory = f"{root}/{directory}"
    temporary = f"{directory}/.{file}.tmp~"
    try:
        descriptor = os.open(temporary, _CREATE, private.FILE_MODE)
    except FileNotFoundError:
        _make_directories(directory)
        descriptor = os.open(temporary, _CREATE, private.FILE_MODE)
    try:
        written = os.write(descriptor, sealed)
        while written < len(sealed):
            written += os.write(descriptor, sealed[written:])
    finally:
        os.close(descriptor)
    os.rename(temporary, f"{directory}/{file}")


def _make_directories(leaf: str) -> None:
    for directory in (leaf.rpartition("/")[0], leaf):
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, private.DIRECTORY_MODE)


def sync(store: Store) -> None:
    """Make everything durable that was written to the store's file system: one call for a whole batch."""
    descriptors.sync_file_system(store.root)


def content(path: Path) -> bytes:
    """The bytes of a file of the store. Raises OSError for a link, or anything else that is no regular file.

    Opening a pipe could otherwise wait for ever for somebody to write into it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        blocks = [os.read(descriptor, status.st_size + 1)]
        while more := os.read(descriptor, _BLOCK):
            blocks.append(more)
    finally:
        os.close(descriptor)
    return b"".join(blocks)


def read(store: Store, name: ObjectName) -> envelope.Envelope:
    """An object's file. Raises Failure(STORE_DAMAGED) if it is missing, damaged or another object's."""
    path = store.object(name)
    failure: Failure
    try:
        found = envelope.unseal(content(path))
        if found is not None and found.name == name:
            return found
        failure = Failure(Code.STORE_DAMAGED, f"{path}: its content does not match its checksum")
    except FileNotFoundError:
        failure = Failure(Code.STORE_DAMAGED, f"{path}: missing")
    except OSError as error:
        failure = from_os_error(error, path)
    raise failure
