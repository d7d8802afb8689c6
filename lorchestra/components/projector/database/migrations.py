"""Migrating metadata.db: `versions/1.sql` makes version 1, `versions/2.sql` makes 2 of 1, and so on.

A database with objects is copied to `backups/` before it is changed. Each step is one transaction.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import apsw

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.objects.layout import Store
from lorchestra.storage import private

_OWN_FULL_TEXT = 5
"""The first version whose full text has columns for fields; it cannot be made without reading all objects."""


@cache
def scripts() -> tuple[str, ...]:
    """The scripts in their order, the first for version 1."""
    directory = Path(__file__).with_name("versions")
    found = {int(file.stem): file.read_text("utf-8") for file in directory.glob("*.sql")}
    return tuple(found[version] for version in range(1, len(found) + 1))


def newest() -> int:
    """The version that this program reads and writes."""
    return len(scripts())


def migrate(store: Store, connection: apsw.Connection) -> None:
    """Migrate an open database to the newest version.

    Raises Failure(STORE_DAMAGED) if it is newer, or cannot be migrated.
    """
    version = connection.pragma("user_version")
    refuse_newer(store, version)
    if 0 < version < newest() and _has_objects(connection):
        if version < _OWN_FULL_TEXT:
            raise Failure(
                Code.STORE_DAMAGED,
                f"{store.database}: written by an older program; its full text must be built again",
                advice="Run: vector-projector repair, then pull. No record is lost.",
            )
        _back_up(store, connection, version)
    try:
        apply(connection)
    except apsw.SQLError:
        raise Failure(
            Code.STORE_DAMAGED,
            f"{store.database}: is not what a program of version {version} wrote",
            advice="Run: vector-projector repair",
        ) from None


def apply(connection: apsw.Connection) -> None:
    """Run the scripts that have not run on a database."""
    for version in range(connection.pragma("user_version"), newest()):
        with connection:
            connection.execute(scripts()[version])
            connection.pragma("user_version", version + 1)


def refuse_newer(store: Store, version: int) -> None:
    """Raise Failure(STORE_DAMAGED) if a newer program wrote the database."""
    if version > newest():
        raise Failure(
            Code.STORE_DAMAGED,
            f"{store.database}: written by a newer program (schema version {version}; known: {newest()})",
            advice="Update the program.",
        )


def _has_objects(connection: apsw.Connection) -> bool:
    return connection.execute("SELECT 1 FROM object LIMIT 1").fetchone() is not None


def _back_up(store: Store, connection: apsw.Connection, version: int) -> None:
    path = store.backups / f"metadata-v{version}.db"
    private.make_directory(store.backups)
    temporary = private.temporary_name(path)
    try:
        with private.create(temporary) as file:  # SQLite fills an empty file, and so keeps its mode
            connection.execute("VACUUM INTO ?", (str(temporary),))
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    private.sync_directory(path.parent)
