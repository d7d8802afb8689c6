"""`vector-projector list`: the objects of a type, newest first."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import apsw
import orjson

from lorchestra.components.projector import config
from lorchestra.components.projector.database import lookup, metadata_db
from lorchestra.components.projector.objects import layout
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import output
from lorchestra.components.projector.upkeep import connect
from lorchestra.storage import audit

_COLUMNS = ("id", "revision", "state", "time", "title")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("type", metavar="TYPE")
    parser.add_argument("--since", "--from", type=output.day, metavar="DATE", help="from this day on")
    parser.add_argument("--until", "--to", type=output.day, metavar="DATE", help="to this day, inclusive")
    parser.add_argument(
        "--limit", type=output.count, default=20, metavar="N", help="number of rows, or all (default: 20)"
    )
    parser.add_argument("--retired", action="store_true", help="list records that no canonical file contains any more")
    output.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print one row an object."""
    with connect.for_reading(Store(config.resolve(options).store)) as opened:
        no = lookup.type_number(opened.connection, options.type)
        audit.record_read(opened.store.root, "vector-projector list", type=options.type)
        query = f"""
            SELECT {lookup.COLUMNS}, {_title(opened.connection, no)}
            FROM object {lookup.JOINS} JOIN fields_{no} AS fields ON fields.object = object.no
            WHERE object.no BETWEEN ? AND ? AND state = ? ORDER BY object.no DESC LIMIT ?"""  # noqa: S608
        state = 2 if options.retired else 0
        values = (*layout.row_range(no, options.since, options.until), state, options.limit)
        rows = (_row(row, options.format) for row in opened.connection.execute(query, values))
        output.write(sys.stdout, _COLUMNS, rows, options.format)
    return 0


def _title(connection: apsw.Connection, kind: int) -> str:
    """The expression for an object's title: each reading may call it by another property."""
    columns = dict(metadata_db.rows(connection, "SELECT property, no FROM field WHERE type = ?", (kind,)))
    readings = metadata_db.rows(connection, "SELECT no, rules FROM reading WHERE type = ?", (kind,))
    titles = {no: columns.get(orjson.loads(rules).get("title")) for no, rules in readings}
    cases = " ".join(f"WHEN {no} THEN fields.c{column}" for no, column in titles.items() if column)
    return f"CASE object.reading {cases} END" if cases else "NULL"


def _row(row: tuple[Any, ...], form: str) -> tuple[Any, ...]:
    found = lookup.found(row[:-1])
    identity = found.name.id.hex().upper()
    return (
        identity[:12] if form == "table" else identity,
        found.name.revision,
        lookup.STATES[found.state],
        output.moment(found.time),
        row[-1],
    )
