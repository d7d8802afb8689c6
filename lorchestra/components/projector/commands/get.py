"""`vector-projector get`: show an object by its id."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import orjson

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector import config
from lorchestra.components.projector.database import delivery, lookup, metadata_db
from lorchestra.components.projector.database.lookup import Found
from lorchestra.components.projector.objects import object_files
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import origin, output
from lorchestra.components.projector.upkeep import connect
from lorchestra.components.projector.upkeep.connect import Opened
from lorchestra.records import names
from lorchestra.storage import audit

_DIGITS = 12
"""More would exceed the integers of SQLite."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", metavar="ID", help="the object's id, its first digits, or a canonical line FILE:LINE")
    parser.add_argument("--revision", type=output.count, metavar="N", help="this revision (default: the current one)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--raw", action="store_true", help="print the canonical line, byte for byte")
    what.add_argument("--envelope", action="store_true", help="print the object's file: the record and its metadata")
    what.add_argument("--history", action="store_true", help="list its revisions, without their content")
    what.add_argument(
        "--origin", action="store_true", help="show the canonical and raw files and lines that contain it"
    )
    parser.add_argument(
        "--input", type=local_path, metavar="DIR", help="directory of the canonical files, for --origin"
    )
    output.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the record, or what is known about it."""
    with connect.for_reading(Store(config.resolve(options).store)) as opened:
        audit.record_read(opened.store.root, "vector-projector get", options.id)
        matches = _find(opened, options.id)
        if options.history:
            _write_history(matches, options.format)
        elif options.origin:
            _write_origin(opened, matches, options)
        else:
            _write_record(opened, lookup.chosen(matches, options.revision), options)
    return 0


def _find(opened: Opened, text: str) -> list[Found]:
    file, _, line = text.rpartition(":")
    if not (names.parse_canonical(file) and line.isascii() and line.isdigit() and len(line) <= _DIGITS):
        return lookup.revisions(opened.connection, text)
    if matches := lookup.at(opened.connection, file, int(line)):
        return matches
    raise Failure(Code.MISSING, "the store holds no object from this line", advice="See: vector-projector stats")


def _write_record(opened: Opened, found: Found, options: argparse.Namespace) -> None:
    line = delivery.record(opened.store, opened.connection, found.name, found.no)
    if options.raw:
        output.write_raw(sys.stdout, line)
        return
    content: Any = orjson.loads(line)
    if options.envelope:
        content = orjson.loads(object_files.content(opened.store.object(found.name)))
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
    sys.stdout.write(output.visible_lines(text) + "\n")


def _write_history(matches: list[Found], form: str) -> None:
    columns = ("id", "revision", "state", "time", "bytes")
    rows = [
        (found.name.id, found.name.revision, lookup.STATES[found.state], output.moment(found.time), found.bytes)
        for found in matches
    ]
    output.write(sys.stdout, columns, rows, form)


def _write_origin(opened: Opened, matches: list[Found], options: argparse.Namespace) -> None:
    directory = options.input or Path(metadata_db.get_meta(opened.connection, "input", "."))
    rows = [place for found in matches for place in origin.places(opened.connection, found, directory)]
    output.write(sys.stdout, origin.Place._fields, rows, options.format)
