"""`vector-projector backup`: copy the store to another directory, incrementally."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector import config
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.upkeep import backup


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("directory", type=local_path, metavar="DIR", help="directory of the copy; it is a store itself")


def run(options: argparse.Namespace) -> int:
    """Copy what the directory lacks, and verify the copy."""
    source, target = Store(config.resolve(options).store.absolute()), Store(options.directory.absolute())
    if target.root == source.root or source.root in target.root.parents or target.root in source.root.parents:
        raise Failure(Code.USAGE, "the copy and the store must not contain each other")
    report(backup.copy(source, target))
    return 0


def report(counts: Mapping[str, int]) -> None:
    """Print what was copied."""
    copied, kept, removed = (counts.get(name, 0) for name in ("copied", "kept", "removed"))
    sys.stderr.write(
        f"vector-projector: {copied + kept} objects: {copied} copied, {kept} already there; "
        f"{removed} removed from the copy; the copy is verified\n"
    )
