"""`registry/{type}.json`: a summary of the objects of a type, readable without a database.

It is derived from the database and never read back. It stays below a kilobyte at a million objects; up to 10,000
objects it lists the ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import apsw
import orjson

from lorchestra.components.projector.database import metadata_db
from lorchestra.components.projector.database.rows import CURRENT, FORMER, RETIRED
from lorchestra.components.projector.objects import layout
from lorchestra.components.projector.objects.layout import Store
from lorchestra.records import names
from lorchestra.storage import private

MOST_IDS = 10_000
_STATE = "registries"
FORMAT = "lorchestra.registry/1"


def outdate(connection: apsw.Connection) -> None:
    """Record, in a transaction, that the registry files have to be written after it."""
    metadata_db.remember(connection, _STATE, "outdated")


def is_outdated(connection: apsw.Connection) -> bool:
    """Whether the registry files wait to be written."""
    return bool(metadata_db.get_meta(connection, _STATE) == "outdated")


def catch_up(store: Store, connection: apsw.Connection) -> None:
    """Write the registry files that a killed run did not write. The next pull says what they hold."""
    if is_outdated(connection):
        write(store, connection, [kind for (kind,) in metadata_db.rows(connection, "SELECT name FROM type")])


def follow(store: Store, connection: apsw.Connection) -> None:
    """Write the registry files after a batch, which changed no canonical file: what they hold stays as it was said."""
    if is_outdated(connection):
        kinds = [kind for (kind,) in metadata_db.rows(connection, "SELECT name FROM type")]
        write(store, connection, [kind for kind in kinds if not _is_finished(store, kind)])


def _is_finished(store: Store, kind: str) -> bool:
    try:
        return orjson.loads(store.registry(kind).read_bytes())["holds"] is not None
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write(store: Store, connection: apsw.Connection, unfinished: Collection[str]) -> None:
    """Bring every registry file up to date; write only what differs. `unfinished` types hold null."""
    private.make_directory(store.registry("x").parent)
    for no, kind in metadata_db.rows(connection, "SELECT no, name FROM type ORDER BY name"):
        summary = describe(connection, no, kind)
        summary["holds"] = None if kind in unfinished else holds(connection, no)
        content = orjson.dumps(summary, option=orjson.OPT_INDENT_2) + b"\n"
        path = store.registry(kind)
        if not path.exists() or path.read_bytes() != content:
            private.write(path, content)
    metadata_db.remember(connection, _STATE, "written")


def holds(connection: apsw.Connection, no: int) -> str:
    """The digest of the canonical files of a type, as the contract describes it."""
    query = "SELECT name, lower(hex(sha256)) FROM file WHERE type = ? AND missing = 0 AND name NOT GLOB ? ORDER BY name"
    lines = "".join("{} {}\n".format(*row) for row in connection.execute(query, (no, names.BATCHES)))
    return hashlib.sha256(lines.encode("ascii")).hexdigest()


def objects(connection: apsw.Connection) -> int:
    """How many objects are current, of all types."""
    return int(metadata_db.value(connection, "SELECT coalesce(sum(objects), 0) FROM tally WHERE state = 0"))


def describe(connection: apsw.Connection, no: int, kind: str, *, most_ids: int = MOST_IDS) -> dict[str, Any]:
    """A type in numbers, with the ids of its objects where there are no more than `most_ids`."""
    query = """SELECT reading.schema, tally.state, sum(objects), sum(bytes) FROM tally
               JOIN reading ON reading.no = tally.reading WHERE reading.type = ? GROUP BY 1, 2 ORDER BY 1"""
    rows = metadata_db.rows(connection, query, (no,))
    count = {state: sum(row[2] for row in rows if row[1] == state) for state in (CURRENT, FORMER, RETIRED)}
    schemas = {schema: objects for schema, state, objects, _ in rows if state == CURRENT and objects}
    rules = metadata_db.value(
        connection, "SELECT rules FROM reading WHERE type = ? ORDER BY no DESC LIMIT 1", (no,), "{}"
    )
    first, last = layout.row_range(no)
    query = "SELECT count(*) FROM file WHERE type = ? AND name GLOB ?"
    batches = metadata_db.value(connection, query, (no, names.BATCHES))
    return {
        "format": FORMAT,
        "type": kind,
        "objects": count[CURRENT],
        "former_revisions": count[FORMER],
        "retired": count[RETIRED],
        "bytes": sum(row[3] for row in rows),
        "schemas": schemas,
        "key": _key(rules),
        "first_day": _day(connection, first, last, "ASC"),
        "last_day": _day(connection, first, last, "DESC"),
        "ids": _ids(connection, first, last) if count[CURRENT] <= most_ids else None,
        **({"batches": batches} if batches else {}),
    }


def _key(rules: str) -> list[str]:
    try:
        return list(orjson.loads(rules).get("key", []))
    except (orjson.JSONDecodeError, AttributeError):  # a damaged row, which `verify` finds
        return []


def _day(connection: apsw.Connection, first: int, last: int, order: str) -> str | None:
    query = f"SELECT no FROM object WHERE no BETWEEN ? AND ? AND state = 0 ORDER BY no {order} LIMIT 1"  # noqa: S608
    no = metadata_db.value(connection, query, (first, last))
    return None if no is None else layout.row_day(no).isoformat()


def _ids(connection: apsw.Connection, first: int, last: int) -> list[str]:
    query = "SELECT hex(id) FROM object WHERE no BETWEEN ? AND ? AND state = 0 ORDER BY id"
    return [identity for (identity,) in metadata_db.rows(connection, query, (first, last))]
