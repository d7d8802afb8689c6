"""The intent of a run under way: which object files it may have written before its commit.

Paths are appended and made durable before the files are written. After the commit the journal goes. A journal that is
found at the start of a run belongs to one that was killed: its files that no row knows are removed, so that a store
holds either all of a commit or nothing of it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import apsw

from lorchestra.components.projector.database import metadata_db
from lorchestra.components.projector.objects import layout
from lorchestra.components.projector.objects.layout import Store
from lorchestra.storage import private


class Journal:
    """The open intent of one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._descriptor = -1

    def intend(self, paths: Iterable[str]) -> None:
        """Make it durable that these objects (paths relative to the store) are about to be written."""
        content = "".join(f"{path}\n" for path in paths).encode("ascii")
        if not content:
            return
        if self._descriptor < 0:
            self._descriptor = private.append(self._store.journal)
            private.sync_directory(self._store.root)
        while content:
            content = content[os.write(self._descriptor, content) :]
        os.fdatasync(self._descriptor)

    def abandon(self) -> None:
        """Stop writing; the journal stays for `recover`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def drop(self) -> None:
        """Forget the intent: every object that it names has its row."""
        self.abandon()
        with contextlib.suppress(OSError):  # the commit counts; the next writer removes the journal
            self._store.journal.unlink(missing_ok=True)


def recover(store: Store, connection: apsw.Connection) -> int:
    """Remove what a killed or failed transaction left behind; return how many files. Call it under the lock."""
    try:
        named = store.journal.read_bytes().decode("ascii", "replace").split("\n")
    except FileNotFoundError:
        return 0
    removed = 0
    for path in named:
        name = layout.parse_object(path.rpartition("/")[2])
        if name is not None and not _is_known(connection, name):
            removed += _unlink(store, name)
    store.journal.unlink()
    return removed


def _is_known(connection: apsw.Connection, name: layout.ObjectName) -> bool:
    query = "SELECT 1 FROM object WHERE id = ? AND revision = ?"
    return metadata_db.value(connection, query, (name.id, name.revision)) is not None


def _unlink(store: Store, name: layout.ObjectName) -> int:
    removed = 0
    for path in (store.object(name), temporary(store, name)):
        try:
            path.unlink()
            removed += 1
        except (FileNotFoundError, NotADirectoryError):
            continue
    return removed


def temporary(store: Store, name: layout.ObjectName) -> Path:
    """Where the coming content of an object is written."""
    return store.object(name).with_name(f".{name.file}.tmp~")
