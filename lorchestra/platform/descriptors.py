"""Descriptors: how to open directories, the size of pipes, and making a file system durable."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
"""Opens a directory to look up names in it. Without O_PATH (macOS) the directory must be readable, too."""


def enlarge_pipe(descriptor: int, size: int) -> None:
    """Let a pipe hold `size` bytes, if the system allows it; a smaller one only costs time."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, size)


def sync_file_system(directory: Path) -> None:
    """Make everything durable that was written to a directory's file system. Raises OSError."""
    import ctypes  # slow to import, and only the store needs it

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "syncfs")
    finally:
        os.close(descriptor)
