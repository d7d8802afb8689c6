"""The views that `query` offers: one a type with a column for each property of its schemas.

    email           the current objects: _id, _revision, _schema, _state, _time, _file, _line, the properties, _record,
                    and _no, by which full text is joined: _no IN (SELECT rowid FROM fulltext('word'))
    email_history   all revisions of all objects

Short properties are columns of the database; long texts, and the whole record as `_record`, are read from the object
when a query asks for them. A property whose name differs from another's only in case gets a number: "From", "from_2".
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import apsw
import orjson

from lorchestra.components.projector.database import delivery, metadata_db
from lorchestra.components.projector.objects import layout
from lorchestra.components.projector.objects.layout import ObjectName, Store
from lorchestra.components.projector.record.schema import column as as_column
from lorchestra.records import names

_STATE = "CASE object.state WHEN 0 THEN 'current' WHEN 1 THEN 'former' ELSE 'retired' END"
_TIME = "strftime('%Y-%m-%dT%H:%M:%SZ', object.time / 1000, 'unixepoch')"
_HELD = f"({delivery.NEWEST.format('{}', 'object.no')})"


class View(NamedTuple):
    """A view and the names of its columns."""

    name: str
    columns: tuple[str, ...]


def create(store: Store, connection: apsw.Connection) -> list[View]:
    """Create the views for this connection alone, as temporary ones."""
    _register(store, connection)
    read_only = connection.pragma("query_only")
    connection.pragma("query_only", "off")  # which would forbid temporary views too
    made = []
    for no, kind in metadata_db.rows(connection, "SELECT no, name FROM type ORDER BY name"):
        columns = _columns(connection, no, kind)
        first, last = layout.row_range(no)
        select = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in columns.items())
        source = (
            f"SELECT {select} FROM main.object JOIN main.fields_{no} AS fields ON fields.object = object.no "  # noqa: S608
            f"JOIN main.reading ON reading.no = object.reading WHERE object.no BETWEEN {first} AND {last}"
        )
        called = f"_{kind}" if kind.startswith("sqlite_") else kind  # SQLite keeps such names for itself
        for name, condition in ((called, " AND object.state = 0"), (f"{called}_history", "")):
            connection.execute(f"CREATE TEMP VIEW IF NOT EXISTS {quoted(name)} AS {source}{condition}")
            made.append(View(name, tuple(columns)))
    connection.pragma("query_only", read_only)
    return made


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _columns(connection: apsw.Connection, no: int, kind: str) -> dict[str, str]:
    columns = {
        "_id": "hex(object.id)",
        "_revision": "object.revision",
        "_schema": "reading.schema",
        "_state": _STATE,
        "_time": _TIME,
        "_file": _HELD.format("file.name"),
        "_line": _HELD.format("holding.line"),
    }
    taken = {*columns, "_record", "_no"}
    for column, name, lazy in metadata_db.rows(
        connection, "SELECT no, property, lazy FROM main.field WHERE type = ? ORDER BY no", (no,)
    ):
        text = name.replace("'", "''").replace("\0", "")
        expression = f"lazy_property('{kind}', object.id, object.revision, '{text}')" if lazy else f"fields.c{column}"
        columns[_free(name.replace("\0", ""), taken)] = expression
    return {**columns, "_record": f"lazy_record('{kind}', object.id, object.revision)", "_no": "object.no"}


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 2
    while free.lower() in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free.lower())
    return free


def _is_name(kind: Any, identity: Any, revision: Any) -> bool:
    """Whether this can name an object: the functions can be called by hand."""
    return (
        isinstance(kind, str) and names.is_type(kind) and isinstance(identity, bytes) and isinstance(revision, int)
    )  # fmt: skip


def _register(store: Store, connection: apsw.Connection) -> None:
    @lru_cache(maxsize=4)
    def record(kind: str, identity: bytes, revision: int) -> bytes:
        no = metadata_db.value(connection, "SELECT no FROM object WHERE id = ? AND revision = ?", (identity, revision))
        return delivery.record(store, connection, ObjectName(kind, identity, revision), no)

    @lru_cache(maxsize=4)
    def parsed(kind: str, identity: bytes, revision: int) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(record(kind, identity, revision))
        return found

    def lazy_record(*name: Any) -> str | None:
        return record(*name).decode() if _is_name(*name) else None

    def lazy_property(*arguments: Any) -> Any:
        *name, field = arguments
        return as_column(parsed(*name).get(field)) if _is_name(*name) else None

    connection.create_scalar_function("lazy_record", lazy_record, 3, deterministic=True)
    connection.create_scalar_function("lazy_property", lazy_property, 4, deterministic=True)
