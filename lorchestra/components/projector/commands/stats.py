"""`vector-projector stats`: what the store holds."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import apsw

from lorchestra.components.projector import config
from lorchestra.components.projector.database import metadata_db, registry
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import output
from lorchestra.components.projector.upkeep import connect

_COLUMNS = ("type", "objects", "former_revisions", "retired", "bytes", "first_day", "last_day", "files", "rejected")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    output.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print one row a type."""
    with connect.for_reading(Store(config.resolve(options).store)) as opened:
        rows = [
            _row(opened.connection, no, kind)
            for no, kind in metadata_db.rows(opened.connection, "SELECT no, name FROM type ORDER BY name")
        ]
    output.write(sys.stdout, _COLUMNS, rows, options.format)
    return 0


def _row(connection: apsw.Connection, no: int, kind: str) -> tuple[Any, ...]:
    summary = registry.describe(connection, no, kind, most_ids=-1)
    query = "SELECT count(*), coalesce(sum(rejected), 0) FROM file WHERE type = ?"
    summary["files"], summary["rejected"] = metadata_db.rows(connection, query, (no,))[0]
    return tuple(summary[name] for name in _COLUMNS)
