"""Opening a store: for its one writer, under the lock, recovered; or for reading."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import apsw

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.database import metadata_db, registry
from lorchestra.components.projector.objects.layout import Store
from lorchestra.storage import private


class Opened(NamedTuple):
    """A store and its database."""

    store: Store
    connection: apsw.Connection


@contextmanager
def for_writing(store: Store, *, create: bool = False, wait: bool = False) -> Iterator[Opened]:
    """The store for its one writer. What a killed writer left behind is gone when the block begins.

    Raises Failure: BUSY when another writer holds the lock (unless `wait`), MISSING if there is no store and none
    is to be created, INSECURE if others could read it, STORE_DAMAGED.
    """
    if create:
        for directory in (store.objects, store.root / "registry", store.root / "rejects"):
            private.make_directory(directory)
    check(store)
    held = private.lock(store.lock, wait=wait)
    try:
        connection = metadata_db.open_writer(store)
        try:
            with metadata_db.guarded(store, connection):
                _recover(store, connection)
                yield Opened(store, connection)
        finally:
            connection.close()
    finally:
        private.unlock(held)


@contextmanager
def for_reading(store: Store) -> Iterator[Opened]:
    """The store for reading: a state before or after a file, never between.

    Raises as `for_writing`, but BUSY only if the database has to be migrated.
    """
    check(store)
    connection = metadata_db.open_reader(store)
    try:
        if metadata_db.is_older(connection):
            with for_writing(store):
                pass  # which migrates it
        with metadata_db.guarded(store, connection):
            yield Opened(store, connection)
    finally:
        connection.close()


def _recover(store: Store, connection: apsw.Connection) -> None:
    """Undo or finish what a killed writer began."""
    from lorchestra.components.projector.ingest import journal, rejects_files  # only here: readers start faster
    from lorchestra.components.projector.upkeep import purge

    for directory in (store.root, store.root / "rejects", store.root / "registry", store.backups):
        if directory.is_dir():
            private.sweep(directory)
    journal.recover(store, connection)
    rejects_files.recover(store, connection)
    purge.finish(store, connection, unproven=True)
    purge.remember(store, connection)
    registry.catch_up(store, connection)


def check(store: Store) -> None:
    """Refuse a store that does not exist, belongs to another user, or is accessible to others."""
    try:
        status = os.stat(store.root)
    except FileNotFoundError:
        status = None
    if status is None or not (store.root / "objects").is_dir():
        raise Failure(
            Code.MISSING, f"{store.root}: contains no store", advice="Check --store, or run: vector-projector pull"
        )
    if status.st_uid != os.geteuid():
        raise Failure(Code.INSECURE, f"{store.root}: belongs to another user", advice="Run as its owner.")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise Failure(
            Code.INSECURE,
            f"{store.root}: accessible to other users (mode {mode:04o})",
            advice=f"Run: chmod 700 {shlex.quote(str(store.root))}",
        )
