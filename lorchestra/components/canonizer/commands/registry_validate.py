"""Check a whole registry: one line for each finding, with its file and the name of the rule.

can registry validate --registry transforms
can registry validate --format json --strict

Layout, ids, versions, checksums, specs, golden tests under each installed engine, and schemas: their own draft,
misspelled keywords, contradictions, references, natural keys, and versions. The status is 4 if there is an error, with
--strict also if there is a warning. docs/transforms.md lists the rules.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lorchestra.base.errors import Code, Exit, Failure
from lorchestra.components.canonizer.authoring.checks import Finding, Severity
from lorchestra.components.canonizer.commands.arguments import add_registry, add_schemas, schema_roots
from lorchestra.components.canonizer.registry import transforms
from lorchestra.records import registry
from lorchestra.records.registry import home

_LEVELS = list(Severity)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_registry(parser)
    add_schemas(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object for each finding")
    parser.add_argument("--strict", action="store_true", help="fail if there is a warning")
    parser.add_argument(
        "--severity",
        type=Severity,
        choices=_LEVELS,
        default=Severity.WARNING,
        help="show findings of this severity and above (default: warning)",
    )


class _Files(NamedTuple):
    metas: list[Path]
    schemas: dict[Path, list[Path]]
    other_formats: int


def run(args: argparse.Namespace) -> int:
    """Check and print."""
    files = _files(args)
    if not files.metas and not any(files.schemas.values()):
        raise Failure(Code.TRANSFORM_MISSING, f"{args.registry}: contains neither transforms nor schemas")
    findings = []
    for finding in _findings(args, files):
        if _LEVELS.index(finding.severity) > _LEVELS.index(args.severity):
            continue
        findings.append(finding)
        print(orjson.dumps(finding.as_json()).decode() if args.format == "json" else finding)
    print(_summary(args.registry, files, findings), file=sys.stderr if args.format == "json" else sys.stdout)
    fails = {Severity.ERROR, Severity.WARNING} if args.strict else {Severity.ERROR}
    return Exit.REGISTRY if any(finding.severity in fails for finding in findings) else Exit.OK


def _files(args: argparse.Namespace) -> _Files:
    from lorchestra.components.canonizer.authoring.checks.schemas import is_other_format

    metas = transforms.every(args.registry)
    roots = schema_roots(args.registry, args.schemas)
    if args.schemas is None:  # transforms may have schemas nearer to them
        roots = list(dict.fromkeys([*roots, *(root for meta in metas for root in registry.schema_roots(meta.parent))]))
    schemas, other_formats = {}, 0
    for root in roots:
        paths = transforms.below(root)
        schemas[root] = [path for path in paths if not is_other_format(path, root)]
        other_formats += len(paths) - len(schemas[root])
    return _Files(metas, schemas, other_formats)


def _findings(args: argparse.Namespace, files: _Files) -> Iterator[Finding]:
    from lorchestra.components.canonizer.authoring.checks import schemas as of_schemas
    from lorchestra.components.canonizer.authoring.checks import transforms as of_transforms

    for meta in files.metas:
        yield from of_transforms.check(meta, home(args.registry), [args.schemas] if args.schemas else [])
    yield from of_transforms.leftovers(home(args.registry), files.metas)
    usual = schema_roots(args.registry, args.schemas)
    for root, paths in files.schemas.items():
        yield from of_schemas.check(paths, root, usual if root in usual else registry.schema_roots(root.parent))


def _summary(where: Path, files: _Files, findings: list[Finding]) -> str:
    counts: dict[str, Any] = {
        "transforms": len(files.metas),
        "schemas": sum(map(len, files.schemas.values())),
        "findings": len(findings),
    }
    if files.other_formats:
        counts["ignored files in other schema formats"] = files.other_formats
    return f"{where}: " + ", ".join(f"{name}: {number}" for name, number in counts.items())
