"""Every file and directory of a store: what it is by its place and name, and what is wrong with it on the outside.

Links are never followed. Nothing is read.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lorchestra.components.projector.objects import layout
from lorchestra.components.projector.objects.layout import ObjectName, Store
from lorchestra.records import names

_FILES = frozenset({"metadata.db", "metadata.db-wal", "metadata.db-shm", "journal", "purging", "lock"})
_DIRECTORIES = frozenset({"objects", "registry", "rejects", "backups", "quarantine"})
_HEX = re.compile("[0-9A-F]{2}")


class Found(NamedTuple):
    """A file or directory, by its path in the store. At most one of the fields after `faults` says what it is."""

    where: str
    faults: tuple[str, ...]
    name: ObjectName | None = None
    tombstone: tuple[str, bytes] | None = None
    registry: str = ""
    rejects: str = ""


def walk(store: Store) -> Iterator[Found]:
    """Every entry of a store, its root first, in the order of the directories."""
    yield Found(".", _modes(os.lstat(store.root)))
    yield from _below(store, Path())


def _below(store: Store, directory: Path) -> Iterator[Found]:
    with os.scandir(store.root / directory) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        where, status = directory / entry.name, entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            fits = _is_directory(where)
            yield Found(str(where), _modes(status) if fits else ("foreign_directory", *_modes(status)))
            yield from _below(store, where) if fits else ()
        else:
            yield _file(store, where, status)


def _file(store: Store, where: Path, status: os.stat_result) -> Found:
    faults = list(_modes(status))
    if where.parts[0] == "quarantine":  # whatever `repair` set aside
        return Found(str(where), tuple(faults))
    if stat.S_ISLNK(status.st_mode) or not stat.S_ISREG(status.st_mode):
        return Found(str(where), ("link" if stat.S_ISLNK(status.st_mode) else "special_file",))
    if status.st_nlink > 1:
        faults.append("hard_link")
    found = Found(str(where), tuple(faults))
    top, file = where.parts[0], where.name
    if len(where.parts) == 1:
        return found if file in _FILES else found._replace(faults=(*faults, "foreign_file"))
    if top == "backups":
        return found
    if top == "registry" and file.endswith(".json") and names.is_type(file.removesuffix(".json")):
        return found._replace(registry=file.removesuffix(".json"))
    if top == "rejects" and names.parse_delivery(file):
        return found._replace(rejects=file)
    name, tombstone = layout.parse_object(file), layout.parse_tombstone(file)
    if name is not None and store.object(name) == store.root / where:
        return found._replace(name=name)
    if tombstone is not None and store.tombstone(*tombstone) == store.root / where:
        return found._replace(tombstone=tombstone)
    return found._replace(faults=(*faults, "foreign_file"))


def _is_directory(where: Path) -> bool:
    """Whether a directory belongs into a store."""
    top, *rest = where.parts
    if not rest:
        return top in _DIRECTORIES
    if top == "quarantine":
        return True
    return top == "objects" and len(rest) <= 2 and all(_HEX.fullmatch(part) for part in rest)


def _modes(status: os.stat_result) -> tuple[str, ...]:
    if stat.S_ISLNK(status.st_mode):
        return ()
    return ("not_private",) if status.st_mode & 0o077 or status.st_uid != os.geteuid() else ()
