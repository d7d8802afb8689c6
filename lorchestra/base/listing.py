"""What lies in a directory, read once: one `stat` an entry, by which a change is noticed and privacy is judged."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TypeAlias

Identity: TypeAlias = tuple[int, int, int, int]


class Listing(NamedTuple):
    """The entries of one directory by name; hidden ones, which are writers' temporary files, are left out."""

    path: Path
    files: dict[str, os.stat_result]
    directories: dict[str, os.stat_result]
    others: int

    def exposed(self, owner: int) -> int:
        """How many entries somebody else owns or may use, or are neither file nor directory."""
        entries = (*self.files.values(), *self.directories.values())
        return self.others + sum(1 for entry in entries if entry.st_mode & 0o077 or entry.st_uid != owner)


def read(path: Path) -> Listing:
    """List a directory; one that is not there is empty. Links are never followed."""
    files: dict[str, os.stat_result] = {}
    directories: dict[str, os.stat_result] = {}
    others = 0
    try:
        scan = os.scandir(path)
    except FileNotFoundError:
        return Listing(path, files, directories, others)
    with scan:
        for entry in scan:
            if entry.name.startswith("."):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                files[entry.name] = status
            elif stat.S_ISDIR(status.st_mode):
                directories[entry.name] = status
            else:
                others += 1
    return Listing(path, files, directories, others)


def read_some(path: Path, names: Iterable[str]) -> Listing:
    """Like `read`, of the named files alone."""
    files: dict[str, os.stat_result] = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            files[name] = os.lstat(path / name)
    return Listing(path, files, {}, 0)


def identity(status: os.stat_result) -> Identity:
    """What moves when a file's content does: size, mtime and ctime in nanoseconds, inode.

    An edit that restores the mtime (`rsync -t`, `touch -r`) still moves the ctime.
    """
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
