"""Check a whole registry: one line a finding, with its file and the name of the rule.

Layout, ids, versions, checksums, specs, schemas (each by the rules of its own draft), `self` blocks, references that
lead nowhere, natural keys, and every golden test. It exits with 4 where there is a finding.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Exit, Failure
from lorchestra.components.canonizer.authoring import checks
from lorchestra.components.canonizer.commands.arguments import add_registry, schemas_of
from lorchestra.components.canonizer.registry import transforms
from lorchestra.records.registry import home


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_registry(parser)
    parser.add_argument(
        "--schemas",
        type=local_path,
        metavar="DIR",
        help="directory of the schemas (default: `schemas` in the registry or next to it)",
    )


def run(args: argparse.Namespace) -> int:
    """Check and print."""
    metas = transforms.every(args.registry)
    root = schemas_of(args.registry, args.schemas)
    schemas = transforms.below(root)
    if not metas and not schemas:
        raise Failure(Code.TRANSFORM_MISSING, f"{args.registry}: contains neither transforms nor schemas")
    findings = 0
    for finding in _findings(args.registry, metas, root, schemas):
        findings += 1
        print(finding)
    print(f"{args.registry}: transforms: {len(metas)}, schemas: {len(schemas)}, findings: {findings}")
    return Exit.REGISTRY if findings else Exit.OK


def _findings(registry: Path, metas: list[Path], root: Path, schemas: list[Path]) -> Iterator[checks.Finding]:
    from lorchestra.components.canonizer.authoring.checks import schemas as of_schemas
    from lorchestra.components.canonizer.authoring.checks import transforms as of_transforms

    for meta in metas:
        yield from of_transforms.check(meta, home(registry), root)
    yield from of_transforms.orphans(home(registry), metas)
    yield from of_schemas.check(schemas, root)
