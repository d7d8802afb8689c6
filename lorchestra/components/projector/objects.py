"""Object files: written whole, read back and proven."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from lorchestra.base import private
from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.components.projector import envelope
from lorchestra.components.projector.layout import ObjectName, Store

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def write(store: Store, name: ObjectName, content: bytes) -> None:
    """Write an object beside its name, then rename it. It is durable after the next `sync`, not before."""
    path = str(store.object(name))
    directory, _, file = path.rpartition("/")
    temporary = f"{directory}/.{file}.tmp~"
    try:
        descriptor = os.open(temporary, _CREATE, private.FILE_MODE)
    except FileNotFoundError:
        private.make_directory(Path(directory))
        descriptor = os.open(temporary, _CREATE, private.FILE_MODE)
    try:
        written = os.write(descriptor, content)
        while written < len(content):
            written += os.write(descriptor, content[written:])
    finally:
        os.close(descriptor)
    os.rename(temporary, path)


def sync(store: Store) -> None:
    """Make everything durable that was written to the store's file system: one call for a whole batch."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    descriptor = os.open(store.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "syncfs")
    finally:
        os.close(descriptor)


def read(store: Store, name: ObjectName) -> envelope.Envelope:
    """An object's file. Raises Failure(STORE_DAMAGED) where it is missing, broken or another's."""
    path = store.object(name)
    failure: Failure
    try:
        found = envelope.unseal(path.read_bytes())
        if found is not None and found.name == name:
            return found
        failure = Failure(Code.STORE_DAMAGED, f"{path}: its content is not what was sealed")
    except FileNotFoundError:
        failure = Failure(Code.STORE_DAMAGED, f"{path}: missing")
    except OSError as error:
        failure = from_os_error(error, path)
    raise failure
