"""The entries of a directory, read once: one `stat` per entry serves to notice changes and to check permissions."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

Identity: TypeAlias = tuple[int, int, int, int]
_KIND = stat.S_IFMT(0xFFFF)
REST_SECONDS = 2.0
"""A file that changed less than this long ago may still be written."""


class Listing(NamedTuple):
    """The entries of one directory by name.

    `others` are entries that are neither files nor directories, and hidden ones, which are writers' temporary files.
    """

    path: Path
    files: dict[str, os.stat_result]
    directories: dict[str, os.stat_result]
    others: dict[str, os.stat_result]

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        """Every entry with its status."""
        yield from self.files.items()
        yield from self.directories.items()
        yield from self.others.items()


def rests(found: Identity) -> bool:
    """Whether nobody writes to a file any more, as far as its times tell."""
    changed = found[2]  # not the time of modification, which a copying program may set to anything
    return time.time_ns() - changed >= REST_SECONDS * 1e9


def read(path: Path) -> Listing:
    """List a directory; a missing one is empty. Links are never followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Listing(path, {}, {}, {})
    try:
        # By descriptor, so that the system does not resolve the whole path for each entry.
        with os.scandir(descriptor) as scan:
            return Listing(path, *_by_kind(scan))
    finally:
        os.close(descriptor)


def _by_kind(scan: Iterable[os.DirEntry[str]]) -> tuple[dict[str, os.stat_result], ...]:
    files: dict[str, os.stat_result] = {}
    directories: dict[str, os.stat_result] = {}
    others: dict[str, os.stat_result] = {}
    for entry in scan:  # the longest loop of a run that has nothing to do
        name = entry.name
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        kind = status.st_mode & _KIND
        if name[0] == ".":
            others[name] = status
        elif kind == stat.S_IFREG:
            files[name] = status
        elif kind == stat.S_IFDIR:
            directories[name] = status
        else:
            others[name] = status
    return files, directories, others


def read_some(path: Path, names: Iterable[str]) -> Listing:
    """Like `read`, for the named files only."""
    files: dict[str, os.stat_result] = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            files[name] = os.lstat(path / name)
    return Listing(path, files, {}, {})


def identity(status: os.stat_result) -> Identity:
    """Values that change whenever a file's content does: size, mtime and ctime in nanoseconds, inode.

    An edit that restores the mtime (`rsync -t`, `touch -r`) still changes the ctime.
    """
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
