"""Every object against its own seal, its row, its columns and its words in the full text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apsw
import orjson

from lorchestra.components.projector.database import delivery, fulltext, metadata_db
from lorchestra.components.projector.objects import envelope, identity, layout, object_files
from lorchestra.components.projector.objects.envelope import Envelope
from lorchestra.components.projector.objects.layout import ObjectName
from lorchestra.components.projector.record import schema
from lorchestra.components.projector.record.schema import RecordSchema
from lorchestra.components.projector.upkeep.connect import Opened
from lorchestra.components.projector.upkeep.verify.finding import Finding


def check(opened: Opened, *, words: bool) -> Iterator[Finding]:
    """Compare every object with its row; with `words`, also the full text with the words of all objects."""
    yield from _check(opened, _Words(opened.connection) if words else None)


class _Row(NamedTuple):
    """An object's row, as the query below returns it."""

    no: int
    id: bytes
    revision: int
    reading: int
    volatile: bytes | None
    time: int | None
    fingerprint: bytes
    sha256: bytes
    bytes: int
    indexed: int
    type: str | None


def _check(opened: Opened, words: _Words | None) -> Iterator[Finding]:
    readings = _Readings(opened.connection)
    query = """SELECT object.no, object.id, revision, reading, volatile, time, fingerprint, sha256, bytes, indexed,
               type.name FROM object LEFT JOIN reading ON reading.no = object.reading
               LEFT JOIN type ON type.no = reading.type ORDER BY object.id, object.revision"""
    for row in map(_Row._make, opened.connection.execute(query)):
        if row.type is None:
            yield Finding("row_without_type", f"object {row.no}")
            continue
        name = ObjectName(row.type, row.id, row.revision)
        fault = _fault(opened, readings, name, row, words)
        if fault:
            words = None  # what cannot be read cannot be compared
            yield Finding(fault, layout.object_path(name))
    if words is not None and not words.agree():
        yield Finding("words_differ", "metadata.db")


def _fault(opened: Opened, readings: _Readings, name: ObjectName, row: _Row, words: _Words | None) -> str | None:
    """The first fault of an object and its row."""
    try:
        content = object_files.content(opened.store.object(name))
    except OSError:
        return "missing_object"
    found = envelope.unseal(content)
    if found is None:
        return "broken_seal"
    if found.name != name:
        return "misplaced_object"
    if (found.sha256, found.fingerprint, len(content)) != (row.sha256, row.fingerprint, row.bytes):
        return "row_differs"
    how = readings.get(row.reading)
    if how is None:
        return "reading_damaged"
    record = found.parsed()
    fault = _identity_fault(found, record, how, row)
    if fault:
        return fault
    if row.no in readings.varied:
        record |= _volatile(opened, found, row.no, how)
    if readings.columns(row.reading, row.no) != tuple(schema.column(record.get(field)) for field in how.columns):
        return "columns_differ"
    if row.indexed and words is not None:
        words.expect(row.no, readings.texts(row.no, schema.searched(record, how.rules)))
    return None


def _identity_fault(found: Envelope, record: dict[str, Any], how: RecordSchema, row: _Row) -> str | None:
    """Compare what is computed from a record with its row."""
    if identity.fingerprint(record, how.volatile) != row.fingerprint:
        return "fingerprint_differs"
    if identity.object_id(found.name.type, record, how.rules.key, row.fingerprint) != row.id:
        return "id_differs"
    sealed = schema.rules_from(found.rules)._replace(fields=how.rules.fields)  # `repair` may have added fields
    same = (found.schema, sealed) == (how.uri, how.rules)
    if not same or schema.moment(record, how.rules) != row.time:
        return "row_differs"
    if row.volatile not in (None, identity.volatile_digest(record, how.rules.volatile)):  # None: an older version's row
        return "row_differs"
    return None


def _volatile(opened: Opened, found: Envelope, no: int, how: RecordSchema) -> dict[str, Any]:
    """The volatile fields of the newest delivery, None for each that it lacks."""
    last = delivery.newest(opened.connection, no)
    line = delivery.delivered(found.record, last.delivered if last else None, how.rules.volatile)
    values = orjson.loads(line)
    return {name: values.get(name) for name in how.rules.volatile}


class _Readings:
    """The readings in the database, and the columns that rows of each have."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._texts: dict[int, fulltext.Columns] = {}
        made = {row[0]: _reading(connection, *row) for row in metadata_db.rows(connection, "SELECT * FROM reading")}
        self._made = {number: reading for number, reading in made.items() if reading}
        varied = connection.execute("SELECT DISTINCT object FROM holding WHERE delivered IS NOT NULL")
        self.varied = {no for (no,) in varied}
        """Revisions that were delivered with several values of their volatile fields."""

    def texts(self, no: int, texts: dict[str, str]) -> tuple[str, ...]:
        """Texts in the order of the full text's columns."""
        kind = layout.row_type(no)
        if kind not in self._texts:
            self._texts[kind] = fulltext.Columns(self._connection, kind)
        return self._texts[kind].row(texts)

    def get(self, number: int) -> RecordSchema | None:
        """A reading by the number of its row; None if the row is damaged."""
        return self._made[number][0] if number in self._made else None

    def columns(self, number: int, no: int) -> tuple[Any, ...] | None:
        """The columns of an object, in the order of `RecordSchema.columns`; None where there is no row."""
        found: tuple[Any, ...] | None = self._connection.execute(self._made[number][1], (no,)).fetchone()
        return found[1:] if found else None


def _reading(
    connection: apsw.Connection, _no: int, kind: int, uri: str, rules: str, properties: str
) -> tuple[RecordSchema, str] | None:
    try:
        how = RecordSchema(uri, schema.rules_from(orjson.loads(rules)), tuple(orjson.loads(properties)))
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

    def expect(self, no: int, columns: Iterable[str]) -> None:
        """Words that the full text must hold."""
        for column, text in enumerate(columns):
            if not text:
                continue
            words = self._tokenizer(
                text.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False
            )
            self._sum += sum(hash((word, no, column, position)) for position, word in enumerate(words))

    def agree(self) -> bool:
        """Whether the full text holds these words and no others."""
        self._connection.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.word USING fts5vocab(main, fulltext, instance)"
        )
        numbers = {name: number for number, name in enumerate(fulltext.COLUMNS)}
        for word, no, column, position in self._connection.execute("SELECT term, doc, col, offset FROM temp.word"):
            self._sum -= hash((word, no, numbers[column], position))
        return self._sum == 0
