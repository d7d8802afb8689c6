"""The files in the objects directory, by their names; their content is not read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lorchestra.components.projector.objects import layout
from lorchestra.components.projector.objects.layout import ObjectName, Store


class Entry(NamedTuple):
    """A file below objects/. `name` is None where it is no object in its place; `tombstone` is (type, id)."""

    path: Path
    name: ObjectName | None
    tombstone: tuple[str, bytes] | None
    private: bool


def walk(store: Store) -> Iterator[Entry]:
    """Every file, in the order of the directories. A link, or a file in a wrong place, has no name."""
    for directory, directories, files in os.walk(store.objects):
        directories.sort()
        for file in sorted(files):
            yield _entry(store, Path(directory, file))


def tombstones(store: Store) -> Iterator[tuple[str, bytes]]:
    """Type and id of every tombstone."""
    return (entry.tombstone for entry in walk(store) if entry.tombstone)


def open_directories(store: Store) -> Iterator[Path]:
    """The directories of a store that others could enter."""
    for directory, _, _ in os.walk(store.root):
        if os.stat(directory).st_mode & 0o077:
            yield Path(directory)


def _entry(store: Store, path: Path) -> Entry:
    status = path.lstat()
    private = not status.st_mode & 0o077 and status.st_uid == os.geteuid()
    if path.is_symlink() or not path.is_file():
        return Entry(path, None, None, private)
    name, tombstone = layout.parse_object(path.name), layout.parse_tombstone(path.name)
    if name is not None and store.object(name) != path:
        name = None
    if tombstone is not None and store.tombstone(*tombstone) != path:
        tombstone = None
    return Entry(path, name, tombstone, private)
