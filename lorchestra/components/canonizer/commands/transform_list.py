"""The transforms of a registry: name, version, status, and the schemas that each leads from and to."""

from __future__ import annotations

import argparse
import sys

from lorchestra.base.errors import Failure
from lorchestra.components.canonizer.commands.arguments import add_registry
from lorchestra.components.canonizer.registry import transforms


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one transform a line; the status is that of the first one that cannot be read."""
    fault: Failure | None = None
    rows = []
    for path in transforms.every(arguments.registry):
        try:
            transform = transforms.load(path, require_checksum=False)
        except Failure as failure:
            fault = fault or failure
            continue
        meta = transform.meta
        state = "" if transform.sound else "  (its checksum does not match)"
        rows.append(
            (transforms.name_of(arguments.registry, path), meta.version, meta.from_schema, f"{meta.to_schema}{state}")
        )
    for name, version, before, after in rows:
        sys.stdout.write(f"{name:<{max(len(row[0]) for row in rows)}}  {version:<7} {before} -> {after}\n")
    if fault:
        raise fault
    return 0
