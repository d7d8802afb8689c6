"""`vector-projector export`: the records as canonical files again, one a type and day."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import apsw

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector import config
from lorchestra.components.projector.database import delivery, lookup, metadata_db
from lorchestra.components.projector.database.lookup import Found
from lorchestra.components.projector.objects import layout
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import output
from lorchestra.components.projector.upkeep import connect
from lorchestra.components.projector.upkeep.connect import Opened
from lorchestra.storage import audit, private


class _Day(NamedTuple):
    kind: str
    day: int

    @property
    def file(self) -> str:
        return f"{self.kind}-{date.fromordinal(self.day).isoformat().replace('-', '')}.jsonl"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--output", required=True, metavar="DIR", help="a new or empty directory; `-` is stdout")
    parser.add_argument("--type", action="append", default=[], metavar="TYPE", help="only this type; may be repeated")
    parser.add_argument("--since", "--from", type=output.day, metavar="DATE", help="from this day on")
    parser.add_argument("--until", "--to", type=output.day, metavar="DATE", help="to this day, inclusive")


def run(options: argparse.Namespace) -> int:
    """Write the current objects, by type, day and moment, byte for byte as they came."""
    with connect.for_reading(Store(config.resolve(options).store)) as opened:
        for kind in options.type:
            lookup.type_number(opened.connection, kind)  # raises for a name that is none
        audit.record_read(opened.store.root, "vector-projector export", types=sorted(options.type))
        found = _found(opened.connection, options)
        if options.output == "-":
            for item in found:
                output.write_raw(sys.stdout, delivery.record(opened.store, opened.connection, item.name, item.no))
            return 0
        records, files = _write(opened, found, _directory(Path(options.output)))
    sys.stderr.write(f"vector-projector: {records} records in {files} files\n")
    return 0


def _found(connection: apsw.Connection, options: argparse.Namespace) -> Iterator[Found]:
    kinds = dict(metadata_db.rows(connection, "SELECT name, no FROM type ORDER BY name"))
    for kind in options.type or kinds:
        first, last = layout.row_range(lookup.type_number(connection, kind), options.since, options.until)
        query = f"{lookup.SELECT} WHERE object.no BETWEEN ? AND ? AND object.state = 0 ORDER BY object.no"
        yield from map(lookup.found, connection.execute(query, (first, last)))


def _directory(path: Path) -> Path:
    private.make_directory(path)
    if any(path.iterdir()):
        raise Failure(Code.USAGE, f"{path}: not empty", advice="Name a new directory.")
    if path.stat().st_mode & 0o077:
        raise Failure(
            Code.INSECURE, f"{path}: accessible to other users", advice=f"Run: chmod 700 {shlex.quote(str(path))}"
        )
    return path


def _write(opened: Opened, found: Iterator[Found], directory: Path) -> tuple[int, int]:
    records = files = 0
    for day, items in groupby(found, lambda item: _Day(item.name.type, layout.row_day(item.no).toordinal())):
        with private.replacing(directory / day.file) as file:
            for item in items:
                file.write(delivery.record(opened.store, opened.connection, item.name, item.no) + b"\n")
                records += 1
        files += 1
    return records, files
