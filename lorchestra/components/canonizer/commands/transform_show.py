"""One transform: what it is called, what it leads from and to, and the digests of what it is made of."""

from __future__ import annotations

import argparse
import sys

from lorchestra.base.errors import visible
from lorchestra.components.canonizer.commands.arguments import add_transform, meta_path
from lorchestra.components.canonizer.record import engines, functions
from lorchestra.components.canonizer.registry import transforms


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_transform(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    transform = transforms.load(meta_path(arguments), require_checksum=False)
    meta = transform.meta
    sound = "matches the metadata" if transform.sound else "DIFFERS from the metadata"
    facts = {
        "id": transform.id,
        "version": meta.version,
        "status": str(meta.document.get("status", "")),
        "engine": engines.load(arguments.engine or meta.engine or engines.DEFAULT).NAME,
        "from": meta.from_schema,
        "accepts": meta.from_schema_range or "",
        "to": meta.to_schema,
        "metadata": str(transform.meta_path),
        "spec": str(transform.spec_path),
        "sha256": f"{transform.spec_sha256} ({sound})",
        "host functions": " ".join(f"${name}" for name in functions.mentioned(transform.spec)),
    }
    for key, value in facts.items():
        if value:
            sys.stdout.write(f"{key:<15} {visible(value)}\n")
    return 0
