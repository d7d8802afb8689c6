"""`vector-projector query`: read-only SQL over views with one column a property."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

import apsw

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector import config
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import output, views
from lorchestra.components.projector.upkeep import connect
from lorchestra.storage import audit

_ALLOWED = frozenset((apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE))
_LONGEST_VALUE = 256 * 1024 * 1024
_STEPS = 10_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("sql", metavar="SQL", nargs="?", help="one SELECT; `-` reads it from stdin")
    parser.add_argument("--views", action="store_true", help="list the views and their columns instead")
    parser.add_argument(
        "--seconds", type=output.positive, default=60, metavar="N", help="stop after this many seconds (default: 60)"
    )
    output.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the rows."""
    with connect.for_reading(Store(config.resolve(options).store)) as opened:
        made = views.create(opened.store, opened.connection)
        if options.views:
            rows: Any = [(view.name, name) for view in made for name in view.columns]
            output.write(sys.stdout, ("view", "column"), rows, options.format)
            return 0
        if options.sql is None:
            raise Failure(Code.USAGE, "no SQL given", advice="vector-projector query 'SELECT ...', or --views")
        sql = sys.stdin.read() if options.sql == "-" else options.sql
        columns = _prepare(opened.connection, sql)
        audit.record_read(opened.store.root, "vector-projector query", sql)
        output.write(sys.stdout, columns, _rows(opened.connection, sql, options.seconds), options.format)
    return 0


def _prepare(connection: apsw.Connection, sql: str) -> list[str]:
    """The columns of a query, without running it.

    Errors are reported in SQLite's words, which are safe: no record has been read yet.
    """
    import apsw.ext

    connection.set_authorizer(_authorize)
    try:
        found = apsw.ext.query_info(connection, sql)
    except apsw.AuthError:
        failure = Failure(Code.USAGE, "only a SELECT is allowed", advice="Only pull and purge change the store.")
    except (apsw.Error, ValueError) as error:
        # rule: exception-text - no record was read yet
        failure = Failure(Code.USAGE, f"SQL: {error}", advice="See the names: vector-projector query --views")
    else:
        if found.query_remaining is None and found.description:
            return [name for name, *_ in found.description]
        failure = Failure(Code.USAGE, "expected exactly one SELECT")
    raise failure


def _authorize(operation: int, name: str | None, *_: str | None) -> int:
    """RecordSchema, and what the full text itself asks SQLite for."""
    if operation in _ALLOWED or (operation == apsw.SQLITE_PRAGMA and name == "data_version"):
        return apsw.SQLITE_OK
    return apsw.SQLITE_DENY


def _rows(connection: apsw.Connection, sql: str, seconds: float) -> Iterator[tuple[Any, ...]]:
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    try:
        yield from connection.execute(sql)
        return
    except apsw.InterruptError:
        failure = Failure(
            Code.TIMED_OUT,
            f"the query took more than {seconds:g} seconds",
            advice="Narrow the query, or raise --seconds.",
        )
    except (apsw.NoMemError, apsw.TooBigError):
        failure = Failure(Code.USAGE, "the query uses too much memory", advice="Narrow it.")
    except apsw.Error as error:  # from here on its text may hold a record's
        failure = Failure(
            Code.USAGE, f"the query failed: {type(error).__name__}", advice="Check its functions and casts."
        )
    raise failure
