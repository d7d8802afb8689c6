"""Checking a store: every object against its seal and its row, every row against its object, and nothing else there.

Compared are: the bytes of each object file with its own seal and with the digest in its row; id, fingerprint, time and
columns in the database with those computed from the record; its words with the full text; counts, holdings and registry
files with the rows; tables, triggers and indexes with those of a new database; rejects and tombstones with what they
must hold; type, mode, owner and links of every file and directory. SQLite checks its own pages. docs/store.md lists
what each finding means and whether `repair` fixes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import orjson

from lorchestra.components.projector.database import delivery, metadata_db, migrations, registry
from lorchestra.components.projector.objects import envelope, identity, inventory, layout, tombstone
from lorchestra.components.projector.objects.layout import ObjectName
from lorchestra.components.projector.record import schema
from lorchestra.components.projector.record.schema import Reading
from lorchestra.components.projector.upkeep.connect import Opened
from lorchestra.records import names


class Finding(NamedTuple):
    """A fault and where it is: a path in the store, or a row. Neither holds anything from a record."""

    fault: str
    where: str


def verify(opened: Opened, *, words: bool = True) -> Iterator[Finding]:
    """Yield every fault of a store. Reads all of it; without `words`, the full text only as SQLite itself checks it."""
    yield from _pages(opened.connection)
    yield from _schema(opened.connection)
    yield from _files(opened)
    yield from _holdings(opened.connection)
    yield from _objects(opened, _Words(opened.connection) if words else None)
    yield from _rows(opened.connection)
    yield from _registries(opened)


def _pages(connection: apsw.Connection) -> Iterator[Finding]:
    for (message,) in metadata_db.rows(connection, "PRAGMA integrity_check(100)"):
        if message != "ok":
            yield Finding("database_page", "metadata.db")


def _files(opened: Opened) -> Iterator[Finding]:
    """Every file and directory of the store: whether it belongs there, and whether others could read it."""
    store, connection = opened
    buried = {identity for (identity,) in metadata_db.rows(connection, "SELECT id FROM tombstone")}
    kinds = {kind for (kind,) in metadata_db.rows(connection, "SELECT name FROM type")}
    for entry in inventory.walk(store):
        for fault in entry.faults:
            yield Finding(fault, entry.where)
        if entry.tombstone:
            if entry.tombstone[1] not in buried:
                yield Finding("unknown_tombstone", entry.where)
            elif (store.root / entry.where).read_bytes() != tombstone.content(*entry.tombstone):
                yield Finding("tombstone_damaged", entry.where)
            buried.discard(entry.tombstone[1])
        elif _is_unknown(entry, connection, kinds):
            yield Finding("foreign_file", entry.where)
        elif entry.rejects:
            yield from _rejects(opened, entry.rejects, entry.where)
    yield from (Finding("missing_tombstone", identity.hex().upper()) for identity in sorted(buried))
    if store.journal.exists():
        yield Finding("leftover_journal", "journal")


def _is_unknown(entry: inventory.Found, connection: apsw.Connection, kinds: set[str]) -> bool:
    """Whether a file is named as an object or a registry, and no row knows it."""
    if entry.name:
        known = "SELECT 1 FROM object WHERE id = ? AND revision = ?"
        return metadata_db.value(connection, known, (entry.name.id, entry.name.revision)) is None
    return bool(entry.registry) and entry.registry not in kinds


def _rejects(opened: Opened, file: str, where: str) -> Iterator[Finding]:
    """Whether a rejects file holds as many rejected lines as its canonical file had, each with its reason."""
    counted = metadata_db.value(opened.connection, "SELECT rejected FROM file WHERE name = ? AND size >= 0", (file,))
    lines = (opened.store.root / where).read_bytes().split(b"\n")
    if lines.pop() or not all(_is_reject(line, file) for line in lines):
        yield Finding("rejects_damaged", where)
    elif counted is not None and len(lines) > counted:  # a purge may have removed some
        yield Finding("rejects_differ", where)


def _is_reject(line: bytes, file: str) -> bool:
    head, found, record = line.partition(b',"record":')
    try:
        said = orjson.loads(head + b"}")
        return bool(found) and record.endswith(b"}") and said["input"] == file and isinstance(said["line"], int)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False


def _schema(connection: apsw.Connection) -> Iterator[Finding]:
    """Tables, triggers, indexes and views that do not belong into the database, or are missing or altered."""
    query = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    fresh = apsw.Connection(":memory:")
    migrations.apply(fresh)
    expected = {(kind, name): sql for kind, name, sql in metadata_db.rows(fresh, query)}
    fields = {f"fields_{no}" for (no,) in metadata_db.rows(connection, "SELECT no FROM type")}
    found = {(kind, name): sql for kind, name, sql in metadata_db.rows(connection, query)}
    for key in sorted(found.keys() | expected.keys()):
        kind, name = key
        if key not in expected and not (kind == "table" and name in fields):
            yield Finding("foreign_definition", f"metadata.db: a {kind} of its own")
        elif key in expected and found.get(key) != expected[key]:
            yield Finding("definition_differs", f"metadata.db: {kind} {name}")


def _holdings(connection: apsw.Connection) -> Iterator[Finding]:
    """Files and lines of the holdings, by the sum that each file keeps of them."""
    query = "SELECT no, name, holdings FROM file WHERE holdings IS NOT NULL ORDER BY name"
    for no, name, expected in metadata_db.rows(connection, query):
        held = connection.execute("SELECT object, line FROM holding WHERE file = ?", (no,))
        if delivery.sum_of(held) != expected:
            yield Finding("holdings_differ", str(name) if names.parse_canonical(str(name)) else "a file's row")


def _objects(opened: Opened, words: _Words | None) -> Iterator[Finding]:
    readings = _Readings(opened.connection)
    query = """SELECT object.no, object.id, revision, reading, state, time, fingerprint, sha256, bytes, indexed,
               type.name FROM object LEFT JOIN reading ON reading.no = object.reading
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
    if how is None:
        return "reading_damaged"
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
    if no in readings.varied:
        record |= _volatile(opened, found, no, how)
    if readings.columns(number, no) != tuple(schema.column(record.get(field)) for field in how.columns):
        return "columns_differ"
    if indexed and words is not None:
        words.expect(no, *schema.searched(record, how.rules))
    return None


def _volatile(opened: Opened, found: envelope.Envelope, no: int, how: Reading) -> dict[str, Any]:
    """The volatile fields of the newest delivery, None for each that it lacks."""
    last = delivery.newest(opened.connection, no)
    line = delivery.delivered(found.record, last.delivered if last else None, how.rules.volatile)
    values = orjson.loads(line)
    return {name: values.get(name) for name in how.rules.volatile}


class _Readings:
    """The readings in the database, and the columns that rows of each have."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        made = {row[0]: _reading(connection, *row) for row in metadata_db.rows(connection, "SELECT * FROM reading")}
        self._made = {number: reading for number, reading in made.items() if reading}
        varied = connection.execute("SELECT DISTINCT object FROM holding WHERE delivered IS NOT NULL")
        self.varied = {no for (no,) in varied}
        """Revisions that were delivered with several values of their volatile fields."""

    def get(self, number: int) -> Reading | None:
        """A reading by the number of its row; None if the row is damaged."""
        return self._made[number][0] if number in self._made else None

    def columns(self, number: int, no: int) -> tuple[Any, ...] | None:
        """The columns of an object, in the order of `Reading.columns`; None where there is no row."""
        found: tuple[Any, ...] | None = self._connection.execute(self._made[number][1], (no,)).fetchone()
        return found[1:] if found else None


def _reading(
    connection: apsw.Connection, _no: int, kind: int, uri: str, rules: str, properties: str
) -> tuple[Reading, str] | None:
    try:
        how = Reading(uri, schema.rules_from(orjson.loads(rules)), tuple(orjson.loads(properties)))
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        return None
    numbers = dict(metadata_db.rows(connection, "SELECT property, no FROM field WHERE type = ?", (kind,)))
    if not numbers.keys() >= set(how.columns):
        return None
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
    if registry.is_outdated(opened.connection):
        return  # the next writer writes them
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
