"""`vector-projector list`: the objects of a type, newest first."""

from __future__ import annotations

import argparse
import sys

from lorchestra.components.projector import config, opening, output
from lorchestra.components.projector.layout import Store, row_range


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("type", metavar="TYPE")
    parser.add_argument("--limit", type=int, default=20, metavar="N")
    output.arguments(parser)


def run(options: argparse.Namespace) -> int:
    with opening.for_reading(Store(config.resolve(options).store)) as opened:
        (no,) = opened.connection.execute("SELECT no FROM type WHERE name = ?", (options.type,)).fetchone()
        query = "SELECT hex(id), time FROM object WHERE no BETWEEN ? AND ? AND state = 0 ORDER BY no DESC LIMIT ?"
        rows = opened.connection.execute(query, (*row_range(no), options.limit)).fetchall()
    output.write(sys.stdout, ("id", "time"), rows, options.format)
    return 0
