"""Write the skeleton of a transform: a spec that runs, metadata with its checksum, and a golden test that passes.

can transform new email/gmail_labels --from iglu:com.google/gmail_message/jsonschema/1-0-0 \\
    --to iglu:org.canonical/email/jsonschema/1-0-0

Nothing is overwritten. The example of the golden test is made from the source's schema, or taken from --example.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.authoring import examples, goldens, skeleton
from lorchestra.components.canonizer.authoring.checks.schemas import judged, named
from lorchestra.components.canonizer.commands.arguments import add_registry, add_schemas, schema_roots
from lorchestra.components.canonizer.commands.transform_try import is_private
from lorchestra.components.canonizer.registry import writing
from lorchestra.components.canonizer.workers.pool import Pool
from lorchestra.records import registry
from lorchestra.records.names import is_transform


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", metavar="ID", help="the new name, such as email/gmail_labels")
    parser.add_argument("--from", dest="before", required=True, metavar="URI", help="the source's schema, an Iglu URI")
    parser.add_argument("--to", dest="after", required=True, metavar="URI", help="the canonical schema, an Iglu URI")
    parser.add_argument("--example", type=local_path, metavar="FILE", help="a synthetic document of the source")
    parser.add_argument(
        "--yes", action="store_true", help="confirm that the example is synthetic, even if it is in a private directory"
    )
    add_registry(parser)
    add_schemas(parser)


def run(args: argparse.Namespace) -> int:
    """Write the files and name them."""
    if not is_transform(args.id) or "@" in args.id:
        raise Failure(
            Code.USAGE, "the name must look like email/gmail_labels", advice="Use lower-case letters, digits and _."
        )
    if not args.registry.is_dir():
        raise Failure(Code.MISSING, f"{args.registry}: no such directory")
    targets = _targets(registry.home(args.registry), args)
    writing.refuse_existing(targets)
    for path, content in targets.items():
        writing.create(path, content)
        print(path)
    spec = next(iter(targets))
    print(f"Next: edit {spec}, then `can registry checksum --write {args.id}` and `can transform test {args.id}`.")
    return 0


def _targets(home: Path, args: argparse.Namespace) -> dict[Path, bytes]:
    """The files to write and their content, the spec first; tried before anything is written."""
    roots = schema_roots(args.registry, args.schemas)
    given = _example(args.example, args.yes) if args.example else None
    spec, meta, made = (text.encode() for text in judged(lambda: _drafted(roots, args, make=given is None)))
    document = made if given is None else given
    folder, _, name = args.id.rpartition("/")
    case = home / folder / "tests" / name / skeleton.CASE
    return {
        home / folder / f"{name}.jsonata": spec,
        home / folder / f"{name}{registry.SUFFIX}": meta,
        case.with_suffix(".input.json"): document,
        case.with_suffix(".output.json"): skeleton.pretty(_tried(name, spec, meta, roots, document)),
    }


def _drafted(roots: list[Path], args: argparse.Namespace, *, make: bool) -> list[str]:
    """Spec, metadata and, where one is to be made, an example."""
    before, after = named(roots, args.before), named(roots, args.after)
    spec = skeleton.spec(args.id, before, after)
    document = skeleton.pretty(examples.of(before.document)).decode() if make else ""
    return [spec, skeleton.metadata(args.id, before, after, spec.encode()), document]


def _example(path: Path, sure: bool) -> bytes:
    if not path.is_file():
        raise Failure(Code.MISSING, f"{path}: no such file")
    if is_private(path) and not sure:
        raise Failure(
            Code.USAGE,
            f"{path}: is in a private directory, but the golden tests of a registry are not private",
            advice="Add --yes if it is synthetic.",
        )
    return registry.read_bytes(path)


def _tried(name: str, spec: bytes, meta: bytes, roots: list[Path], document: bytes) -> Any:
    """The result of the skeleton for the example. Raises Failure(SCHEMA_INVALID) if it is rejected."""
    with TemporaryDirectory() as scratch, closing(Pool()) as pool:
        Path(scratch, f"{name}.jsonata").write_bytes(spec)  # rule: open-for-writing - no record
        Path(scratch, f"{name}{registry.SUFFIX}").write_bytes(meta)  # rule: open-for-writing - no record
        goldens.prepare(pool, Path(scratch, f"{name}{registry.SUFFIX}"), roots)
        outcome = goldens.apply(pool, document)
    if outcome.reject is not None:
        raise Failure(
            Code.SCHEMA_INVALID,
            f"the example is rejected: {goldens.reason(outcome.reject)}",
            advice="Pass a synthetic document of the source: --example FILE.",
        )
    return outcome.records[0]
