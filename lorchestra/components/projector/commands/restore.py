"""`vector-projector restore`: make a store of a backup."""

from __future__ import annotations

import argparse

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector import config
from lorchestra.components.projector.commands.backup import report
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.upkeep import backup


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("directory", type=local_path, metavar="DIR", help="directory that `backup` wrote")


def run(options: argparse.Namespace) -> int:
    """Copy a backup to where no store is. Records that were purged since the backup stay purged."""
    target = Store(config.resolve(options).store)
    if target.root.exists() and any(target.root.iterdir()):
        raise Failure(Code.USAGE, f"{target.root}: is not empty", advice="Move it away, or name another --store.")
    report(backup.copy(Store(options.directory), target))
    return 0
