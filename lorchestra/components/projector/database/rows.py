"""The rows of an object in metadata.db: its own, its columns for the views, its words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import apsw
import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.database import fulltext, metadata_db
from lorchestra.components.projector.objects import layout
from lorchestra.components.projector.record.schema import Record, RecordSchema, is_lazy
from lorchestra.records import names

CURRENT, FORMER, RETIRED = 0, 1, 2
_INSERT_OBJECT = """INSERT INTO object
    (no, id, revision, reading, state, time, fingerprint, sha256, bytes, indexed, volatile)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
FILE_COLUMNS = (
    "no", "name", "type", "date", "size", "mtime_ns", "ctime_ns", "inode", "sha256", "settings", "records", "rejected"
)  # fmt: skip
INSERT_FILE = f"INSERT OR REPLACE INTO file ({', '.join(FILE_COLUMNS)}) VALUES ({', '.join('?' * len(FILE_COLUMNS))})"  # noqa: S608


class Row(NamedTuple):
    """One revision of an object on its way into the database."""

    no: int
    type: str
    revision: int
    record: Record
    sha256: bytes
    bytes: int


class Tables:
    """Numbers types, readings and files, and inserts rows in the order in which they are added."""

    def __init__(self, connection: apsw.Connection, *, full_text: bool) -> None:
        self._connection = connection
        self._full_text = full_text
        self._types: dict[str, int] = dict(connection.execute("SELECT name, no FROM type"))
        self._files: dict[str, int] = dict(connection.execute("SELECT name, no FROM file"))
        self._next_file = max(self._files.values(), default=0) + 1
        self._readings: dict[tuple[int, str, str, tuple[str, ...]], tuple[int, str]] = {}
        self._objects: list[tuple[Any, ...]] = []
        self._words: list[tuple[Any, ...]] = []
        self._text_columns: dict[int, fulltext.Columns] = {}
        self._columns: dict[str, list[tuple[Any, ...]]] = {}

    def file(self, name: str) -> int:
        """The number of a file's row, which may not be written yet."""
        if name not in self._files:
            self._files[name] = self._next_file
            self._next_file += 1
        return self._files[name]

    def type(self, kind: str) -> int:
        """The number of a type's row, which is inserted, with its table of columns, if it is missing."""
        if kind not in self._types:
            no = max(self._types.values(), default=0) + 1
            if no > layout.MOST_TYPES:
                raise Failure(Code.CONFIG, f"more than {layout.MOST_TYPES} types in one store")
            self._connection.execute("INSERT INTO type (no, name) VALUES (?, ?)", (no, kind))
            self._connection.execute(f"CREATE TABLE fields_{no} (object INTEGER PRIMARY KEY)")
            self._types[kind] = no
        return self._types[kind]

    def types(self) -> Collection[str]:
        """The names of all types."""
        return self._types.keys()

    def register(self, kind: str, reading: RecordSchema) -> None:
        """Make a type and the columns of one of its schemas known, whether or not a record of it is stored."""
        self._reading(self.type(kind), reading)

    def add(self, row: Row) -> None:
        """Queue a row, to be inserted by `flush`."""
        record = row.record
        kind = self.type(row.type)
        reading, insert = self._reading(kind, record.reading)
        indexed = self._full_text and bool(record.texts)
        self._objects.append(
            (row.no, record.id, row.revision, reading, CURRENT, record.time, record.fingerprint, row.sha256,
             row.bytes, indexed, record.volatile)
        )  # fmt: skip
        self._columns.setdefault(insert, []).append((row.no, *record.columns))
        if indexed:
            self._words.append((row.no, *self._fulltext(kind).row(record.texts)))

    def flush(self) -> None:
        """Insert what was added. The full text is fast only if its rows are inserted in ascending order."""
        executemany = self._connection.executemany
        executemany(_INSERT_OBJECT, self._objects)
        for insert, values in self._columns.items():
            executemany(insert, values)
        executemany(fulltext.INSERT, self._words)
        self._objects, self._words, self._columns = [], [], {}

    def save_unread_files(self) -> None:
        """Insert rows for files of which only the name is known, so that the next pull reads them."""
        for name, no in self._files.items():
            parsed = names.parse_delivery(name)
            assert parsed is not None
            row = (no, name, self.type(parsed.type), parsed.order, -1, 0, 0, 0, b"", "", 0, 0)
            self._connection.execute(INSERT_FILE, row)

    def _fulltext(self, kind: int) -> fulltext.Columns:
        if kind not in self._text_columns:
            self._text_columns[kind] = fulltext.Columns(self._connection, kind)
        return self._text_columns[kind]

    def _reading(self, kind: int, how: RecordSchema) -> tuple[int, str]:
        """The number of a reading's row, and the statement that inserts the columns of its records."""
        # A schema that is edited in place has one URI, and several sets of rules and properties.
        key = (kind, how.uri, how.rules_json, how.properties)
        if key not in self._readings:
            self._readings[key] = self._find_reading(kind, how), self._insert(kind, how)
        return self._readings[key]

    def _find_reading(self, kind: int, how: RecordSchema) -> int:
        values = (kind, how.uri, how.rules_json, orjson.dumps(how.properties).decode())
        insert = "INSERT OR IGNORE INTO reading (type, schema, rules, properties) VALUES (?, ?, ?, ?)"
        self._connection.execute(insert, values)
        query = "SELECT no FROM reading WHERE type = ? AND schema = ? AND rules = ? AND properties = ?"
        no: int = metadata_db.value(self._connection, query, values)
        return no

    def _insert(self, kind: int, how: RecordSchema) -> str:
        columns = dict(self._connection.execute("SELECT property, no FROM field WHERE type = ?", (kind,)))
        for name in how.properties:
            if name not in columns:
                columns[name] = self._add_column(kind, name, len(columns) + 1, how)
            elif is_lazy(name, how.rules):  # rows of this reading have no column: the views must read the objects
                update = "UPDATE field SET lazy = 1 WHERE type = ? AND property = ? AND lazy = 0"
                self._connection.execute(update, (kind, name))
        targets = ", ".join(["object", *(f"c{columns[name]}" for name in how.columns)])
        values = ", ".join("?" * (len(how.columns) + 1))
        return f"INSERT INTO fields_{kind} ({targets}) VALUES ({values})"  # noqa: S608 - numbers

    def _add_column(self, kind: int, name: str, no: int, how: RecordSchema) -> int:
        self._connection.execute(
            "INSERT INTO field (type, no, property, lazy) VALUES (?, ?, ?, ?)",
            (kind, no, name, is_lazy(name, how.rules)),
        )
        self._connection.execute(f"ALTER TABLE fields_{kind} ADD COLUMN c{no}")
        return no
