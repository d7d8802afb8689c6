"""`vector-projector compact`: give back the space that was freed."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lorchestra.components.projector import config
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.upkeep import connect, purge


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--wait", action="store_true", help="wait until the store is free")


def run(options: argparse.Namespace) -> int:
    """Merge the full text, rewrite the database without its free pages, remove empty directories."""
    store = Store(config.resolve(options).store)
    with connect.for_writing(store, wait=options.wait) as opened:
        before = store.database.stat().st_size
        purge.rewrite(store, opened.connection)
        directories = _remove_empty(store.objects)
    after = store.database.stat().st_size
    sys.stderr.write(
        f"vector-projector: metadata.db {before} -> {after} bytes, {directories} empty directories removed\n"
    )
    return 0


def _remove_empty(top: Path) -> int:
    removed = 0
    for directory, _, _ in os.walk(top, topdown=False):
        if directory != str(top) and not os.listdir(directory):
            Path(directory).rmdir()
            removed += 1
    return removed
