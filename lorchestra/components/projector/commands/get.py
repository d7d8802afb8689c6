"""`vector-projector get`: show an object by its id."""

from __future__ import annotations

import argparse
import sys

import orjson

from lorchestra.components.projector import config, lookup, objects, opening
from lorchestra.components.projector.layout import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", metavar="ID", help="the object's id, or the first digits of it")
    parser.add_argument("--revision", type=int, metavar="N", help="an earlier revision")


def run(options: argparse.Namespace) -> int:
    """Print the record."""
    with opening.for_reading(Store(config.resolve(options).store)) as opened:
        found = lookup.chosen(lookup.revisions(opened.connection, options.id), options.revision)
        record = objects.read(opened.store, found.name).parsed()
    sys.stdout.write(orjson.dumps(record, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0
