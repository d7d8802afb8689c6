"""`vector-projector repair`: rebuild the database and the registry files from the objects alone."""

from __future__ import annotations

import argparse
import sys

from lorchestra.base.commandline import path as local_path
from lorchestra.components.projector import config
from lorchestra.components.projector.database import metadata_db, registry
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.upkeep import connect
from lorchestra.components.projector.upkeep.repair import Repair
from lorchestra.storage import private


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--schemas", type=local_path, metavar="DIR", help="the schemas, for the columns of the views")
    parser.add_argument("--wait", action="store_true", help="wait until the store is free")


def run(options: argparse.Namespace) -> int:
    """Rebuild and tell what was found."""
    settings = config.resolve(options)
    store = Store(settings.store)
    connect.check(store)
    held = private.lock(store.lock, wait=options.wait)
    work = Repair(store, settings)
    try:
        connection = work.run()
        try:
            with metadata_db.guarded(store, connection):
                kinds = [kind for _, kind in metadata_db.rows(connection, "SELECT no, name FROM type")]
                registry.write(store, connection, kinds)
        finally:
            connection.close()
    finally:
        private.unlock(held)
    sys.stderr.write(
        f"vector-projector: {work.counts['objects']} objects, {work.counts['set_aside']} broken or foreign files "
        "moved to quarantine\n"
        "  Run vector-projector pull: it reads every canonical file again and restores what is missing.\n"
    )
    return 0
