"""Proving a store: every object against its seal and its row, every row against its object, nothing else there.

What is compared: the bytes of each object file with its own seal and with the digest in its row; id, fingerprint, time
and columns in the database with what the record gives anew; its words with the full text; counts, holdings and registry
files with the rows. Foreign and missing files, tombstones, modes, and SQLite's own check of its pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import orjson

from lorchestra.components.projector.database import metadata_db, registry
from lorchestra.components.projector.objects import envelope, identity, layout, scan
from lorchestra.components.projector.objects.layout import ObjectName
from lorchestra.components.projector.record import schema
from lorchestra.components.projector.record.schema import Reading
from lorchestra.components.projector.upkeep.connect import Opened


class Finding(NamedTuple):
    """A fault and where it is: a path in the store, or a row. Neither holds anything from a record."""

    fault: str
    where: str


def verify(opened: Opened, *, words: bool = True) -> Iterator[Finding]:
    """Yield every fault of a store. Reads all of it; without `words`, the full text only as SQLite itself checks it."""
    yield from _pages(opened.connection)
    yield from _files(opened)
    yield from _objects(opened, _Words(opened.connection) if words else None)
    yield from _rows(opened.connection)
    yield from _registries(opened)


def _pages(connection: apsw.Connection) -> Iterator[Finding]:
    for (message,) in metadata_db.rows(connection, "PRAGMA integrity_check(100)"):
        if message != "ok":
            yield Finding("database_page", "metadata.db")


def _files(opened: Opened) -> Iterator[Finding]:
    """Files that no row knows, and what others could read."""
    store, connection = opened
    known = "SELECT 1 FROM object WHERE id = ? AND revision = ?"
    buried = {identity for (identity,) in metadata_db.rows(connection, "SELECT id FROM tombstone")}
    for entry in scan.walk(store):
        where = str(entry.path.relative_to(store.root))
        if not entry.private:
            yield Finding("not_private", where)
        if entry.tombstone:
            if entry.tombstone[1] not in buried:
                yield Finding("unknown_tombstone", where)
            buried.discard(entry.tombstone[1])
        elif entry.name is None or metadata_db.value(connection, known, (entry.name.id, entry.name.revision)) is None:
            yield Finding("foreign_file", where)
    yield from (Finding("missing_tombstone", identity.hex().upper()) for identity in sorted(buried))
    yield from (Finding("not_private", str(path.relative_to(store.root))) for path in scan.open_directories(store))
    if store.journal.exists():
        yield Finding("leftover_journal", "journal")


def _objects(opened: Opened, words: _Words | None) -> Iterator[Finding]:
    readings = _Readings(opened.connection)
    query = """SELECT object.*, type.name FROM object LEFT JOIN reading ON reading.no = object.reading
               LEFT JOIN type ON type.no = reading.type ORDER BY object.id, object.revision"""
    for *row, kind in opened.connection.execute(query):
        if kind is None:
            yield Finding("row_without_type", f"object {row[0]}")
            continue
        name = ObjectName(kind, row[1], row[2])
        fault = _object_fault(opened, readings, name, row, words)
        if fault:
            words = None  # what cannot be read cannot be compared
            yield Finding(fault, layout.object_path(name))
    if words is not None and not words.agree():
        yield Finding("words_differ", "metadata.db")


def _object_fault(
    opened: Opened, readings: _Readings, name: ObjectName, row: list[Any], words: _Words | None
) -> str | None:
    """The first fault of an object and its row."""
    no, _, _, number, _, time, fingerprint, sha256, size, indexed = row
    try:
        content = opened.store.object(name).read_bytes()
    except OSError:
        return "missing_object"
    found = envelope.unseal(content)
    if found is None:
        return "broken_seal"
    if found.name != name:
        return "misplaced_object"
    if (found.sha256, found.fingerprint, len(content)) != (sha256, fingerprint, size):
        return "row_differs"
    how = readings.get(number)
    record = found.parsed()
    if identity.fingerprint(record, how.volatile) != fingerprint:
        return "fingerprint_differs"
    if identity.object_id(name.type, record, how.rules.key, fingerprint) != name.id:
        return "id_differs"
    if schema.moment(record, how.rules) != time or (found.schema, schema.rules_from(found.rules)) != (
        how.uri,
        how.rules,
    ):
        return "row_differs"
    if readings.columns(number, no) != tuple(schema.column(record.get(field)) for field in how.columns):
        return "columns_differ"
    if indexed and words is not None:
        words.expect(no, *schema.searched(record, how.rules))
    return None


class _Readings:
    """The readings in the database, and the columns that rows of each have."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._made = {
            row[0]: _reading(connection, *row) for row in metadata_db.rows(connection, "SELECT * FROM reading")
        }

    def get(self, number: int) -> Reading:
        """A reading by the number of its row."""
        return self._made[number][0]

    def columns(self, number: int, no: int) -> tuple[Any, ...] | None:
        """The columns of an object, in the order of `Reading.columns`; None where there is no row."""
        found: tuple[Any, ...] | None = self._connection.execute(self._made[number][1], (no,)).fetchone()
        return found[1:] if found else None


def _reading(
    connection: apsw.Connection, _no: int, kind: int, uri: str, rules: str, properties: str
) -> tuple[Reading, str]:
    how = Reading(uri, schema.rules_from(orjson.loads(rules)), tuple(orjson.loads(properties)))
    numbers = dict(metadata_db.rows(connection, "SELECT property, no FROM field WHERE type = ?", (kind,)))
    columns = ", ".join(["object", *(f"c{numbers[name]}" for name in how.columns)])
    return how, f"SELECT {columns} FROM fields_{kind} WHERE object = ?"  # noqa: S608


class _Words:
    """Compares the full text with the objects' words by a sum over (word, row, column, position) of both."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._tokenizer = connection.fts5_tokenizer("unicode61", ["remove_diacritics", "2"])
        self._sum = 0

    def expect(self, no: int, *columns: str) -> None:
        """Words that the full text must hold."""
        for column, text in enumerate(columns):
            words = self._tokenizer(
                text.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False
            )
            self._sum += sum(hash((word, no, column, position)) for position, word in enumerate(words))

    def agree(self) -> bool:
        """Whether the full text holds these words and no others."""
        self._connection.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.word USING fts5vocab(main, fulltext, instance)"
        )
        numbers = {"title": 0, "body": 1}
        for word, no, column, position in self._connection.execute("SELECT term, doc, col, offset FROM temp.word"):
            self._sum -= hash((word, no, numbers[column], position))
        return self._sum == 0


_STRAYS = {
    "stray_holding": """SELECT count(*) FROM holding
        WHERE object NOT IN (SELECT no FROM object) OR file NOT IN (SELECT no FROM file)""",
    "stray_words": "SELECT count(*) FROM fulltext_docsize WHERE id NOT IN (SELECT no FROM object WHERE indexed)",
    "missing_words": "SELECT count(*) FROM object WHERE indexed AND no NOT IN (SELECT id FROM fulltext_docsize)",
    "stray_embedding": "SELECT count(*) FROM embedding WHERE object NOT IN (SELECT no FROM object)",
    "purged_object": "SELECT count(*) FROM object WHERE id IN (SELECT id FROM tombstone)",
    "several_current": "SELECT count(*) FROM (SELECT 1 FROM object WHERE state <> 1 GROUP BY id HAVING count(*) <> 1)",
    "none_current": "SELECT count(*) FROM (SELECT 1 FROM object GROUP BY id HAVING min(state = 1))",
    "current_but_not_held": "SELECT count(*) FROM object WHERE state = 0 AND no NOT IN (SELECT object FROM holding)",
    "tally_differs": """SELECT count(*) FROM (
        SELECT reading, state, count(*) AS objects, sum(bytes) AS bytes FROM object GROUP BY 1, 2) AS counted
        FULL JOIN tally USING (reading, state)
        WHERE coalesce(counted.objects, 0) <> coalesce(tally.objects, 0)
           OR coalesce(counted.bytes, 0) <> coalesce(tally.bytes, 0)""",
}


def _rows(connection: apsw.Connection) -> Iterator[Finding]:
    checks = dict(_STRAYS)
    for (no,) in metadata_db.rows(connection, "SELECT no FROM type"):
        checks[f"stray_columns fields_{no}"] = (
            f"SELECT count(*) FROM fields_{no} WHERE object NOT IN (SELECT no FROM object)"  # noqa: S608
        )
    for fault, query in checks.items():
        if count := metadata_db.value(connection, query):
            yield Finding(fault, f"{count} rows")


def _registries(opened: Opened) -> Iterator[Finding]:
    for no, kind in metadata_db.rows(opened.connection, "SELECT no, name FROM type ORDER BY name"):
        path = opened.store.registry(kind)
        expected = registry.describe(opened.connection, no, kind)
        found = _registry(path)
        holds = found.get("holds", "")
        as_expected = {**found, "holds": None} == {**expected, "holds": None}
        if not as_expected or holds not in (None, registry.holds(opened.connection, no)):
            yield Finding("registry_differs", f"registry/{kind}.json")


def _registry(path: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
