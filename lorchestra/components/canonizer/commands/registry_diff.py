"""Say whether the change from one version of a schema to another is an addition, a revision or a new model.

can registry diff iglu:org.canonical/email/jsonschema/1-0-0 iglu:org.canonical/email/jsonschema/1-0-1
can registry diff old.json new.json

The words are those of SchemaVer, MODEL-REVISION-ADDITION. Where both schemas name their versions, it tells when these
do not say the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.authoring import evolution
from lorchestra.components.canonizer.authoring.checks.schemas import judged, named, require_valid
from lorchestra.components.canonizer.authoring.evolution import Step
from lorchestra.components.canonizer.commands.arguments import add_registry, add_schemas, schema_roots
from lorchestra.records import iglu, registry

_STEPS = {
    Step.NONE: "no change",
    Step.ADDITION: "an addition: every record that was valid still is",
    Step.REVISION: "a revision: some records that were valid may become invalid",
    Step.MODEL: "a new model: records that were valid become invalid, or change their identity",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("old", metavar="OLD", help="an Iglu URI of the registry, or a file")
    parser.add_argument("new", metavar="NEW", help="an Iglu URI of the registry, or a file")
    add_registry(parser)
    add_schemas(parser)


def run(args: argparse.Namespace) -> int:
    """Compare and print."""
    for line in judged(lambda: list(_report(args))):
        print(line)
    return 0


def _report(args: argparse.Namespace) -> Iterator[str]:
    roots = schema_roots(args.registry, args.schemas)
    old, new = _load(args.old, roots), _load(args.new, roots)
    changes = evolution.changes(old, new)
    taken = evolution.step(changes)
    yield _STEPS[taken]
    for change in changes:
        yield f"  {change.step.name.lower():<9} {change.path}: {change.what}"
    before, after = _version(old, args.old), _version(new, args.new)
    if before and after and evolution.next_version(before, taken) != after:
        expected = evolution.next_version(before, taken)
        yield f"the version does not match the change: {before} -> {after}; expected {expected}"


def _load(text: str, roots: list[Path]) -> dict[str, object]:
    if text.startswith("iglu:"):
        return named(roots, text).document
    if not Path(text).is_file():
        raise Failure(
            Code.MISSING, f"{text}: no such file", advice="OLD and NEW are Iglu URIs of the registry, or files."
        )
    try:
        document = orjson.loads(registry.read_bytes(Path(text)))
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Failure(Code.SCHEMA_INVALID, f"{text}: not a JSON object")
    require_valid(Path(text), document)
    return document


def _version(document: dict[str, object], name: str) -> str | None:
    key = iglu.parse(name)
    if key is not None:
        return key.version
    block = document.get("self")
    version = block.get("version") if isinstance(block, dict) else None
    return version if isinstance(version, str) and iglu.parse(f"iglu:v/n/jsonschema/{version}") else None
