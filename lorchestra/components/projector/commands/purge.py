"""`vector-projector purge`: remove objects without a trace, and prove it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from lorchestra.base.commandline import confirm
from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector import config
from lorchestra.components.projector.database import lookup, metadata_db, registry
from lorchestra.components.projector.database.lookup import Found
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import origin, output
from lorchestra.components.projector.upkeep import connect, purge, purge_check
from lorchestra.components.projector.upkeep.connect import Opened
from lorchestra.storage import audit

_COMPLETED = """\
vector-projector: the interrupted purge is complete; the database and its full text were rewritten
  No other object has this value. The canonical and raw files still contain the records: remove them there too.
"""
_COLUMNS = ("id", "type", "revision", "canonical_file", "canonical_line", "raw_file", "raw_line")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("ids", nargs="*", metavar="ID", help="an object's id, or its first digits")
    parser.add_argument("--subject", metavar="KEY=VALUE", help="all objects with this value; `-` reads it from stdin")
    parser.add_argument("--input", type=local_path, metavar="DIR", help="directory of the canonical files")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be removed")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    output.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """List what goes and the files that still hold it; ask; remove; prove."""
    key, value = _subject(options)
    store = Store(config.resolve(options).store)
    interrupted = store.purging.exists()
    with connect.for_writing(store) as opened:
        try:
            matches = _matches(opened, options.ids, key, value)
        except Failure as failure:
            if not (interrupted and failure.code is Code.MISSING):
                raise
            sys.stderr.write(_COMPLETED)
            return 0
        _write_places(opened, matches, options)
        if options.dry_run:
            return 0
        if not options.yes:
            _ask(len({found.name.id for found in matches}))
        objects = len({found.name.id for found in matches})
        asked = f"{key}={value}" if key else " ".join(options.ids)
        audit.record_read(store.root, "vector-projector purge", asked, objects=objects)
        _purge(opened, matches, key, value)
    return 0


def _purge(opened: Opened, matches: list[Found], key: str, value: str) -> None:
    store, connection = opened
    evidence = purge_check.take(store, matches)
    purge.purge(store, connection, {found.name.id for found in matches})
    rejects = purge.clean_rejects(store, connection, lambda record: bool(key) and purge.has(record.get(key), value))
    unfinished = {
        path.stem for path in store.registry("x").parent.glob("*.json") if b'"holds": null' in path.read_bytes()
    }
    registry.write(store, connection, unfinished)
    checked = purge_check.check(store, connection, evidence)
    if checked.traces:
        purge.rewrite(store, connection)
        checked = purge_check.check(store, connection, evidence)
    if checked.traces:
        raise Failure(
            Code.STORE_DAMAGED,
            f"removed, but traces remain in: {', '.join(checked.traces)}",
            advice="Remove files that do not belong to the store by hand.",
        )
    objects = len({found.name.id for found in matches})
    sys.stderr.write(
        f"vector-projector: {objects} objects removed, {len(matches)} revisions, {rejects} rejected records; "
        f"{checked.searched} marks of them searched for in the bytes of the store, none found\n"
        "  The canonical and raw files above still contain them: remove them there too.\n"
    )


def _subject(options: argparse.Namespace) -> tuple[str, str]:
    if bool(options.ids) == bool(options.subject):
        raise Failure(Code.USAGE, "name IDs, or use --subject KEY=VALUE")
    said = sys.stdin.readline().rstrip("\n") if options.subject == "-" else options.subject or ""
    key, equals, value = said.partition("=")
    if options.subject and not (key and equals and value):
        raise Failure(Code.USAGE, "--subject must have the form KEY=VALUE")
    return key, value


def _matches(opened: Opened, ids: list[str], key: str, value: str) -> list[Found]:
    found = {match.name.id for text in ids for match in lookup.revisions(opened.connection, text)}
    if key:
        found |= purge.subject(opened.store, key, value)
    if not found:
        raise Failure(Code.MISSING, "no object has this value", advice="See: vector-projector query --views")
    return [match for each in sorted(found) for match in lookup.revisions_of(opened.connection, each)]


def _write_places(opened: Opened, matches: list[Found], options: argparse.Namespace) -> None:
    directory = options.input or Path(metadata_db.get_meta(opened.connection, "input", "."))
    rows: list[tuple[Any, ...]] = []
    for found in matches:
        identity = (found.name.id.hex().upper(), found.name.type, found.name.revision)
        places = origin.places(opened.connection, found, directory)
        rows += [(*identity, *place[3:]) for place in places] or [(*identity, None, None, None, None)]
    output.write(sys.stdout, _COLUMNS, rows, options.format)


def _ask(objects: int) -> None:
    if not confirm(f"Erase {objects} objects with their history? This cannot be undone."):
        raise Failure(Code.USAGE, "nothing was removed", advice="")
