"""What lies in a directory, read once: one `stat` an entry, by which a change is noticed and privacy is judged."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

Identity: TypeAlias = tuple[int, int, int, int]
_KIND = stat.S_IFMT(0xFFFF)


class Listing(NamedTuple):
    """The entries of one directory by name; hidden ones, which are writers' temporary files, are left out."""

    path: Path
    files: dict[str, os.stat_result]
    directories: dict[str, os.stat_result]
    others: int

    def open_to_others(self) -> int:
        """How many files and directories somebody else may use."""
        return sum(1 for entry in self._entries() if entry.st_mode & 0o077)

    def foreign(self, owner: int) -> int:
        """How many entries belong to somebody else, or are neither file nor directory."""
        return self.others + sum(1 for entry in self._entries() if entry.st_uid != owner)

    def _entries(self) -> Iterator[os.stat_result]:
        yield from self.files.values()
        yield from self.directories.values()


def read(path: Path) -> Listing:
    """List a directory; one that is not there is empty. Links are never followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Listing(path, {}, {}, 0)
    try:
        # By its descriptor: the system then need not walk the whole path for each entry.
        with os.scandir(descriptor) as scan:
            return Listing(path, *_by_kind(scan))
    finally:
        os.close(descriptor)


def _by_kind(scan: Iterable[os.DirEntry[str]]) -> tuple[dict[str, os.stat_result], dict[str, os.stat_result], int]:
    files: dict[str, os.stat_result] = {}
    directories: dict[str, os.stat_result] = {}
    others = 0
    for entry in scan:  # the longest loop of a run that has nothing to do
        name = entry.name
        if name[0] == ".":
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        kind = status.st_mode & _KIND
        if kind == stat.S_IFREG:
            files[name] = status
        elif kind == stat.S_IFDIR:
            directories[name] = status
        else:
            others += 1
    return files, directories, others


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
