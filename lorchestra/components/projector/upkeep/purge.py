"""Removing objects without a trace.

In this order: a durable intent; tombstones; one transaction over rows, full text, columns and holdings; the object
files; lines of reject files that would be the same objects; former databases; the write-ahead log cut to nothing. A
killed purge is finished by the next writer. Then `purge_check` searches the store's bytes for what was removed.

The full text forgets words only when it is given the very text that it once took in, which is why an object is read
before it is removed, by the rules under which it was written.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import closing
from typing import Any

import apsw
import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.database import fulltext, lookup, metadata_db, registry, rows, seals
from lorchestra.components.projector.database.lookup import Found
from lorchestra.components.projector.ingest import rejects_files
from lorchestra.components.projector.objects import identity, layout, ledger, object_files, tombstone
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import views
from lorchestra.components.projector.record import schema
from lorchestra.components.projector.record.schema import Rules
from lorchestra.records import rejects
from lorchestra.storage import private


def subject(store: Store, key: str, wanted: str) -> set[bytes]:
    """The ids of all objects of which any revision has this value in a property, alone or anywhere inside of it."""
    with closing(metadata_db.open_reader(store)) as connection:  # for the views would hide tables of their names
        views_of_all = [view for view in views.create(store, connection) if view.name.endswith("_history")]
        searched = [_having(connection, view.name, key, wanted) for view in views_of_all if key in view.columns]
    return set().union(*searched)


def _having(connection: apsw.Connection, view: str, key: str, wanted: str) -> set[bytes]:
    column = views.quoted(key)
    query = f"""SELECT _id FROM {views.quoted(view)} WHERE CAST({column} AS TEXT) = ? OR (
        json_valid({column}) AND EXISTS (SELECT 1 FROM json_tree({column}) WHERE CAST(atom AS TEXT) = ?))"""  # noqa: S608
    return {bytes.fromhex(text) for (text,) in metadata_db.rows(connection, query, (wanted, wanted))}


def has(value: Any, wanted: str) -> bool:
    """Whether a JSON value is, or has inside of it, this text or this number."""
    waiting = [value]
    while waiting:  # a rejected record may be deeper than Python's recursion
        value = waiting.pop()
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
        elif value is not None and str(value) == wanted:
            return True
    return False


def purge(store: Store, connection: apsw.Connection, ids: Collection[bytes]) -> None:
    """Remove these objects, with all their revisions. Raises Failure(STORE_DAMAGED) where one cannot be read."""
    kinds = {found.name.id: found.name.type for each in ids for found in lookup.revisions_of(connection, each)}
    intent = "".join(f"{kind} {each.hex().upper()}\n" for each, kind in sorted(kinds.items()))
    private.write(store.purging, intent.encode("ascii"))
    finish(store, connection)


def remember(store: Store, connection: apsw.Connection) -> None:
    """Make the database, the tombstone files and the ledger agree: what one of them knows was purged.

    A store that was deleted, or replaced by an older copy, forgets nothing that way; objects that came back with the
    copy are purged again. Call it under the lock.
    """
    known = {
        (str(kind), bytes(each))
        for each, kind in connection.execute("SELECT id, name FROM tombstone JOIN type ON type.no = tombstone.type")
    }
    recorded = ledger.read(store)
    ledger.add(store, known - recorded)
    missing = recorded - known
    if not missing:
        return
    returned = {each for _, each in missing if lookup.revisions_of(connection, each)}
    if returned:
        purge(store, connection, returned)
    tables = rows.Tables(connection, full_text=False)
    with connection:
        registry.outdate(connection)
        values = [(each, tables.type(kind)) for kind, each in sorted(missing)]
        connection.executemany("INSERT OR IGNORE INTO tombstone (id, type) VALUES (?, ?)", values)
    for kind, each in missing:
        tombstone.write(store, kind, each)
    object_files.sync(store)


def finish(store: Store, connection: apsw.Connection, *, unproven: bool = False) -> None:
    """Do what a purge intended; nothing where none is under way. Call it under the lock.

    After a kill, what was removed is no longer known, so that it cannot be searched for: `unproven` rewrites the
    database instead.
    """
    try:
        lines = store.purging.read_bytes().decode("ascii").splitlines()
    except FileNotFoundError:
        return
    kinds = {bytes.fromhex(digits): kind for kind, _, digits in (line.partition(" ") for line in lines)}
    ledger.add(store, ((kind, each) for each, kind in kinds.items()))
    for each, kind in kinds.items():
        tombstone.write(store, kind, each)
    object_files.sync(store)  # once for all tombstones: an object must not go before its tombstone is durable
    _delete_rows(store, connection, kinds)
    for each in kinds:
        _delete_files(store, each)
    object_files.sync(store)
    clean_rejects(store, connection, lambda record: any(each in kinds for each in _ids(connection, record)))
    shutil.rmtree(store.backups, ignore_errors=True)
    checkpoint(connection)
    if unproven:
        rewrite(store, connection)
    store.purging.unlink()


def rewrite(store: Store, connection: apsw.Connection) -> None:
    """Rewrite the full text and the database.

    SQLite clears what it frees, but the full text keeps beginnings of purged words as the signposts between its pages
    until it is merged, and a page that was rearranged can keep bytes in its gaps.
    """
    with connection:  # a passing row makes a part that all others are merged with
        connection.execute("INSERT INTO fulltext (rowid, title, body) VALUES (1, '', 'passing')")
        connection.execute("INSERT INTO fulltext (fulltext, rowid, title, body) VALUES ('delete', 1, '', 'passing')")
    connection.execute("INSERT INTO fulltext (fulltext) VALUES ('optimize')")
    os.environ["SQLITE_TMPDIR"] = str(store.root)  # the copy belongs neither into /var/tmp nor into memory
    connection.pragma("temp_store", "file")
    connection.execute("VACUUM")
    connection.pragma("temp_store", "memory")
    checkpoint(connection)


def _delete_rows(store: Store, connection: apsw.Connection, kinds: dict[bytes, str]) -> None:
    with connection:
        registry.outdate(connection)
        holders: set[int] = set()
        holding = "SELECT DISTINCT file FROM holding WHERE object = ?"
        for each, kind in kinds.items():
            number = lookup.type_number(connection, kind)
            for found in lookup.revisions_of(connection, each):
                _forget_words(store, connection, found)
                connection.execute(f"DELETE FROM fields_{number} WHERE object = ?", (found.no,))  # noqa: S608
                connection.execute("DELETE FROM embedding WHERE object = ?", (found.no,))
                holders.update(no for (no,) in connection.execute(holding, (found.no,)))
                connection.execute("DELETE FROM holding WHERE object = ?", (found.no,))
                connection.execute("DELETE FROM object WHERE no = ?", (found.no,))
            connection.execute("INSERT OR IGNORE INTO tombstone (id, type) VALUES (?, ?)", (each, number))
        seals.seal_holdings(connection, holders)


def _forget_words(store: Store, connection: apsw.Connection, found: Found) -> None:
    if metadata_db.value(connection, "SELECT indexed FROM object WHERE no = ?", (found.no,)):
        record = object_files.read(store, found.name).parsed()
        texts = schema.searched(record, fulltext.rules(connection, found.no))
        row = fulltext.Columns(connection, layout.row_type(found.no)).row(texts)
        fulltext.delete(connection, found.no, row)


def _delete_files(store: Store, each: bytes) -> None:
    """Every file that is called after an object, but its tombstone; broken ones that were set aside too."""
    directory = store.root / layout.directory(each)
    digits = each.hex().upper()
    for place in (directory, store.quarantine):
        for path in place.glob(f"*_{digits}.*"):
            if path.suffix != ".purged":
                path.unlink()
    if directory.is_dir():
        private.sweep(directory)  # a tombstone that was killed while it was written


def clean_rejects(store: Store, connection: apsw.Connection, unwanted: Callable[[dict[str, Any]], bool]) -> int:
    """Remove lines from the rejects files by their record; return how many."""
    removed = 0
    for path in sorted((store.root / "rejects").glob("*.jsonl")):
        lines = path.read_bytes().split(b"\n")[:-1]  # a record may hold a CR between its fields
        kept = [line for line in lines if not unwanted(rejects.record(line))]
        if len(kept) < len(lines):
            rejects_files.replace(store, connection, path.name, b"".join(line + b"\n" for line in kept))
            removed += len(lines) - len(kept)
    return removed


def _ids(connection: apsw.Connection, record: dict[str, Any]) -> set[bytes]:
    """The ids that a rejected record would have had."""
    query = "SELECT type.name, rules FROM reading JOIN type ON type.no = reading.type"
    return {
        _id(kind, record, schema.rules_from(orjson.loads(rules))) for kind, rules in metadata_db.rows(connection, query)
    }


def _id(kind: str, record: dict[str, Any], rules: Rules) -> bytes:
    try:
        content = identity.fingerprint(record, {*rules.volatile, "schema"})
    except TypeError:  # too deep: without a key it was never an object
        content = b""
    try:
        return identity.object_id(kind, record, rules.key, content)
    except TypeError:
        return b""


def checkpoint(connection: apsw.Connection) -> None:
    """Cut the write-ahead log to nothing. Raises Failure(BUSY) while a reader keeps it alive."""
    if metadata_db.value(connection, "PRAGMA wal_checkpoint(TRUNCATE)"):
        raise Failure(
            Code.BUSY, "another program is reading the store", advice="Stop that program, then run the purge again."
        )
