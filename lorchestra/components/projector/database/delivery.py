"""The newest delivery of an object: its volatile fields, and the canonical file and line that contain it.

A record that is delivered again with other volatile fields is the same revision. Its object file stays as it is; the
other values are in `holding.delivered`, as JSON: {"volatile": {...}} if the line is the object's line with these fields
exchanged, otherwise {"line": "..."}, the whole line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import apsw
import orjson

from lorchestra.components.projector.database import metadata_db
from lorchestra.components.projector.objects import layout, object_files
from lorchestra.components.projector.objects.layout import ObjectName, Store
from lorchestra.components.projector.record import schema

NEWEST = """SELECT {} FROM main.holding JOIN main.file ON file.no = holding.file
    WHERE holding.object = {} ORDER BY file.date DESC, holding.line DESC LIMIT 1"""
"""The newest line that holds an object: columns, and the object's number, are filled in."""


class Newest(NamedTuple):
    """The newest delivery: file name, line from 1, and what `holding.delivered` says."""

    file: str
    line: int
    delivered: str | None


def described(stored: bytes, line: bytes, volatile: Iterable[str]) -> str:
    """The value of `holding.delivered` for a line whose volatile fields differ from those of the stored one."""
    record = orjson.loads(line)
    values = orjson.dumps({"volatile": {name: record[name] for name in volatile if name in record}}).decode()
    if delivered(stored, values, volatile) == line:
        return values
    return orjson.dumps({"line": line.decode("utf-8", "surrogateescape")}).decode()


def delivered(stored: bytes, said: str | None, volatile: Iterable[str]) -> bytes:
    """The line as it was delivered. `stored` is the record in the object's file."""
    if said is None:
        return stored
    content = orjson.loads(said)
    if "line" in content:
        return str(content["line"]).encode("utf-8", "surrogateescape")
    values, fields = content["volatile"], frozenset(volatile)
    record = orjson.loads(stored)
    kept = {name: values.get(name, value) for name, value in record.items() if name not in fields or name in values}
    return orjson.dumps(kept | {name: value for name, value in values.items() if name not in kept})


def newest(connection: apsw.Connection, no: int) -> Newest | None:
    """The newest delivery of the revision in a row; None if no file holds it any longer."""
    query = NEWEST.format("file.name, holding.line, holding.delivered", "?")
    row = connection.execute(query, (no,)).fetchone()
    return Newest(*row) if row else None


def record(store: Store, connection: apsw.Connection, name: ObjectName, no: int) -> bytes:
    """The record of a revision as it was delivered last. Raises Failure(STORE_DAMAGED)."""
    found = object_files.read(store, name)
    last = newest(connection, no)
    return delivered(found.record, last.delivered if last else None, schema.rules_from(found.rules).volatile)


def refresh(store: Store, connection: apsw.Connection, numbers: Iterable[int]) -> None:
    """Bring the volatile columns of these revisions up to date with their newest deliveries."""
    query = """SELECT type.name, object.id, object.revision, reading.rules FROM object
        JOIN reading ON reading.no = object.reading JOIN type ON type.no = reading.type WHERE object.no = ?"""
    for no in sorted(numbers):
        row = connection.execute(query, (no,)).fetchone()
        if row is None:
            continue
        values = orjson.loads(record(store, connection, ObjectName(*row[:3]), no))
        kind, rules = layout.row_type(no), schema.rules_from(orjson.loads(row[3]))
        # `field.lazy` may have been set by a later schema; the columns of this row are those of its own.
        for name in (name for name in rules.volatile if not schema.is_lazy(name, rules)):
            column = metadata_db.value(connection, "SELECT no FROM field WHERE type = ? AND property = ?", (kind, name))
            if column is not None:
                update = f"UPDATE fields_{kind} SET c{column} = ? WHERE object = ?"  # noqa: S608 - numbers
                connection.execute(update, (schema.column(values.get(name)), no))
