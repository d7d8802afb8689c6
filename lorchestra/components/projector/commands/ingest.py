"""`vector-projector ingest`: bring a stream of canonical records into the store, batch by batch."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import Any

import orjson

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Exit, Failure
from lorchestra.components.projector import config
from lorchestra.components.projector.database import registry
from lorchestra.components.projector.ingest.batches import COUNTS, Ingest
from lorchestra.components.projector.ingest.pull import Pull
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.record.validators import Validators
from lorchestra.components.projector.upkeep import connect
from lorchestra.records import iglu, names

_LONGEST_WAIT = 86_400.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    help_ = "read canonical records from standard input, one JSON object per line"
    parser.add_argument("--streaming", action="store_true", required=True, help=help_)
    parser.add_argument(
        "--schemas", type=local_path, metavar="DIR", help="directory of the schemas (an Iglu static registry)"
    )
    help_ = "type of the records (default: the name of the schema that each record names)"
    parser.add_argument("--type", type=_type, metavar="TYPE", help=help_)
    parser.add_argument(
        "--batch", type=_count, default=5000, metavar="N", help="commit after N records (default: 5000)"
    )
    help_ = "commit at the latest S seconds after a record came (default: 2)"
    parser.add_argument("--seconds", type=_seconds, default=2.0, metavar="S", help=help_)
    parser.add_argument("--wait", action="store_true", help="wait until the store is free")


def run(options: argparse.Namespace) -> int:
    """Ingest standard input; print one line of JSON for each committed batch."""
    settings = config.resolve(options)
    if not settings.schemas.is_dir():
        raise Failure(Code.MISSING, f"{settings.schemas}: contains no schemas", advice="Check --schemas.")
    totals: Counter[str] = Counter()

    def committed(report: dict[str, Any]) -> None:
        registry.follow(opened.store, opened.connection)
        totals.update({"batches": 1, **{name: report[name] for name in COUNTS}})
        try:
            sys.stdout.write(orjson.dumps(report).decode() + "\n")
            sys.stdout.flush()
        except BrokenPipeError:  # success would say that the rest of the input was committed, too
            raise Failure(Code.INTERRUPTED, "nobody reads the reports: stopped after this batch") from None

    with connect.for_writing(Store(settings.store), create=True, wait=options.wait) as opened:
        pull = Pull(opened.store, opened.connection, Validators(iglu.SchemaRegistry(settings.schemas)), settings)
        try:
            Ingest(pull, committed, kind=options.type, most=options.batch, seconds=options.seconds).run(0)
        finally:
            batches = "1 batch" if totals["batches"] == 1 else f"{totals['batches']} batches"
            counts = (f"{totals[name]} {name.replace('_', ' ')}" for name in COUNTS if totals[name])
            said = ", ".join((batches, *counts)) if totals["batches"] else ""
            sys.stderr.write(f"vector-projector: {said or 'no records'}\n")
    return Exit.OK


def _type(text: str) -> str:
    if not names.is_type(text):
        raise argparse.ArgumentTypeError("not a valid type name")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= 100_000):
        raise argparse.ArgumentTypeError("expected a number from 1 to 100000")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise argparse.ArgumentTypeError("expected a number of seconds from 0 to 86400")
    return seconds
