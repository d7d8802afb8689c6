"""Write a schema from sample records.

can schema new com.google/calendar_event --from-sample events.jsonl --key id
can schema new org.canonical/appointment --from-sample wanted.jsonl --canonical \\
    --key appointment_id --title title --time start --text title --text notes

Without --canonical it is the schema of a source: it requires only --key, and accepts null and unknown properties. With
--canonical it is closed and requires what every sample has. Samples give property names and types; no value of them is
written. Nothing is overwritten.
"""

from __future__ import annotations

import argparse
import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.authoring import inference
from lorchestra.components.canonizer.commands.arguments import count
from lorchestra.components.canonizer.commands.transform_try import is_private
from lorchestra.components.canonizer.record.parsing import parse
from lorchestra.components.canonizer.record.rules import NotJson, Rejected
from lorchestra.components.canonizer.registry import writing
from lorchestra.records import iglu, jsonl, registry
from lorchestra.storage import audit

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_LARGEST_DOCUMENT = 16 * 1024 * 1024


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", metavar="NAME", help="vendor/name, such as com.google/calendar_event, or an Iglu URI")
    parser.add_argument(
        "--from-sample",
        type=local_path,
        required=True,
        metavar="FILE",
        help="JSON Lines, or one JSON document: a record or an array of records",
    )
    parser.add_argument(
        "--limit", type=count, default=1000, metavar="N", help="read the first N records (default: 1000)"
    )
    parser.add_argument(
        "--key", action="append", default=[], metavar="PROPERTY", help="identifies a record; repeatable"
    )
    canonical = parser.add_argument_group("canonical types")
    canonical.add_argument(
        "--canonical", action="store_true", help="write a closed schema, for the output of transforms"
    )
    canonical.add_argument("--title", metavar="PROPERTY", help="the title of a search result")
    canonical.add_argument("--time", metavar="PROPERTY", help="the time of a record")
    canonical.add_argument("--text", action="append", metavar="PROPERTY", help="searched as text; repeatable")
    parser.add_argument("--yes", action="store_true", help="read samples in a private directory without refusing")
    parser.add_argument(
        "--registry",
        type=local_path,
        default=Path("transforms"),
        metavar="DIR",
        help="where the schema is written (default: ./transforms)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the schema and name its file."""
    key = iglu.parse(args.name if args.name.startswith("iglu:") else f"iglu:{args.name}/{iglu.FORMAT}/1-0-0")
    if key is None or key.format != iglu.FORMAT:
        raise Failure(Code.USAGE, "NAME must look like com.google/calendar_event, or be an Iglu URI")
    if not args.registry.is_dir():
        raise Failure(Code.MISSING, f"{args.registry}: no such directory", advice="Create it, or choose --registry.")
    home = registry.home(args.registry)
    roots = [root for root in registry.schema_roots(home) if args.registry in root.parents]
    path = (roots or [home / "schemas"])[0] / key.vendor / key.name / key.format / f"{key.version}.json"
    writing.refuse_existing([path])
    shape = inference.shape_of(_samples(args))
    writing.create(path, json.dumps(_schema(args, key, shape), ensure_ascii=False, indent=2).encode() + b"\n")
    print(path)
    print(
        "Next: read it, and add descriptions and limits. Property names come from the samples: check that none is data."
    )
    return 0


def _schema(args: argparse.Namespace, key: iglu.SchemaKey, shape: inference.Shape) -> dict[str, Any]:
    marked = [*args.key, *filter(None, (args.title, args.time)), *(args.text or [])]
    if unknown := [name for name in marked if name not in shape.properties]:
        raise Failure(Code.USAGE, f"no sample has the property {unknown[0]!a}")
    if incomplete := [name for name in args.key if name not in shape.required]:
        raise Failure(Code.USAGE, f"not every sample has the key {incomplete[0]!a}")
    start: dict[str, Any] = {"$schema": _DRAFT, "self": key.self_block}
    if not args.canonical:
        schema = inference.open_schema(shape)
        required = {"required": args.key} if args.key else {}
        return {**start, "type": schema.pop("type"), **required, **schema}
    marks = {"x-key": args.key, "x-title": args.title, "x-time": args.time, "x-text": args.text}
    schema = inference.closed_schema(shape)
    schema.setdefault("properties", {})["schema"] = {"const": str(key)}
    schema["required"] = [*dict.fromkeys([*schema.get("required", []), "schema"])]
    return {**start, **{name: value for name, value in marks.items() if value}, **schema}


def _samples(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    path: Path = args.from_sample
    if not path.is_file():
        raise Failure(Code.MISSING, f"{path}: no such file")
    if is_private(path) and not args.yes:
        raise Failure(
            Code.USAGE,
            f"{path}: is in a private directory; the names of properties would become public",
            advice="Use synthetic samples, or add --yes and read the schema before you publish it.",
        )
    audit.record_read(path, "can schema new", files=[str(path)])
    records = _document(path) or _lines(path)
    number = 0
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise Failure(Code.NOT_JSONL, f"{path}: record {number} is not a JSON object")
        yield record
        if number == args.limit:
            break
    if not number:
        raise Failure(Code.NOT_JSONL, f"{path}: no records")


def _document(path: Path) -> Iterator[Any] | None:
    """The records of a file that is one JSON document; None if it is not."""
    if path.stat().st_size > _LARGEST_DOCUMENT:
        return None
    try:
        document = orjson.loads(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        return None
    return iter(document if isinstance(document, list) else [document])


def _lines(path: Path) -> Iterator[Any]:
    with open(path, "rb") as file:
        for number, line in jsonl.read(file, str(path)):
            try:
                yield parse(line)[0]
            except NotJson:
                raise Failure(Code.NOT_JSONL, f"{path}: line {number} is not JSON") from None
            except Rejected as rejected:
                raise Failure(Code.NOT_JSONL, f"{path}: line {number}: {rejected.stage}:{rejected.rule}") from None
