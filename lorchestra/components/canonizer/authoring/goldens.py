"""Golden tests: documents that lie beside a transform, and what it has to make of them.

Metadata names them under `tests`, each as a mapping of `input` and `expect` (or `output`, `expected`), relative to the
metadata's directory. Where it names none, the pairs `{case}.input.json` and `{case}.output.json` (or `.expected.json`)
of the directory `tests/` of a versioned transform, or `tests/{name}/` of a flat one, are taken. The expected document
is an object; or an array, where a record gives several or none.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.authoring.differences import Difference, differences
from lorchestra.components.canonizer.record.requests import Chunk, Order
from lorchestra.components.canonizer.record.rules import Reject
from lorchestra.components.canonizer.registry import metadata
from lorchestra.components.canonizer.registry.paths import as_text
from lorchestra.components.canonizer.workers.chunks import as_line
from lorchestra.components.canonizer.workers.pool import Pool
from lorchestra.records.registry import SUFFIX, is_below, read_bytes

_EXPECTED_KEYS = ("expect", "output", "expected")
_EXPECTED_SUFFIXES = (".output.json", ".expected.json", ".expect.json")
_INPUT_SUFFIX = ".input.json"


class Golden(NamedTuple):
    """One case: its name and its two files."""

    name: str
    input: Path
    expected: Path


class Outcome(NamedTuple):
    """What became of one document: the records that it gave, or why it was set aside."""

    records: list[Any]
    reject: Reject | None


def of(meta_path: Path) -> list[Golden]:
    """The golden tests of a transform. Raises ConfigFailure, Failure(TRANSFORM_INVALID | TRANSFORM_MISSING)."""
    meta = metadata.parse(read_bytes(meta_path), str(meta_path))
    listed = meta.document.get("tests")
    if not listed:
        return list(_beside(meta_path))
    if not isinstance(listed, list):
        raise Failure(Code.TRANSFORM_INVALID, f"{meta_path}: tests: must be a list of input and expect")
    return [_listed(meta_path, number, entry) for number, entry in enumerate(listed)]


def prepare(pool: Pool, meta: Path, schemas: Path | None = None, engine: str | None = None) -> dict[str, Any]:
    """Have a transform compiled, whatever its checksum; returns what it is. Raises Failure as `Pool.prepare`."""
    places = as_text(meta), as_text(schemas) if schemas else None
    return pool.prepare(Order(*places, engine, require_checksum=False))


def apply(pool: Pool, document: bytes) -> Outcome:
    """What the transform that was prepared last makes of one JSON document, pretty-printed or not.

    Raises Failure(NOT_JSONL) where it is not JSON.
    """
    line = as_line(document.removeprefix(codecs.BOM_UTF8))
    converted = next(result for _, result in pool.convert(iter([Chunk(1, line)])))
    if converted.not_json is not None or not converted.records:
        raise Failure(Code.NOT_JSONL, "the document is not JSON")
    records = [orjson.loads(row) for row in converted.output.split(b"\n") if row]
    return Outcome(records, converted.rejects[0] if converted.rejects else None)


def check(pool: Pool, golden: Golden) -> list[str]:
    """What is wrong with a golden test under the transform that was prepared last: one line each, none if it passes."""
    try:
        wanted = _json(golden.expected)
        outcome = apply(pool, read_bytes(golden.input))
    except Failure as failure:
        return [failure.message]
    if outcome.reject is not None:
        return [f"rejected: {reason(outcome.reject)}"]
    return [str(difference) for difference in compare(wanted, outcome.records)]


def compare(wanted: Any, records: list[Any]) -> Iterator[Difference]:
    """How the records of a transform differ from an expected document."""
    single = not isinstance(wanted, list) and len(records) == 1
    return differences(wanted, records[0] if single else records)


def reason(reject: Reject) -> str:
    """Why a record was set aside, in words that hold nothing of it."""
    return f"{reject.stage}: {reject.rule}" + (f" at {reject.schema_path}" if reject.schema_path else "")


def _json(path: Path) -> Any:
    try:
        return orjson.loads(read_bytes(path).removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        pass
    raise Failure(Code.NOT_JSONL, f"{path}: not JSON")


def _listed(meta_path: Path, number: int, entry: Any) -> Golden:
    expected = next((entry[key] for key in _EXPECTED_KEYS if key in entry), None) if isinstance(entry, dict) else None
    given = entry.get("input") if isinstance(entry, dict) else None
    if not (is_below(given) and is_below(expected)):
        raise Failure(
            Code.TRANSFORM_INVALID,
            f"{meta_path}: tests.{number}: must name input and expect, files below its directory",
        )
    path = meta_path.parent / str(given)
    return Golden(_case(path), path, meta_path.parent / str(expected))


def _beside(meta_path: Path) -> Iterator[Golden]:
    name = meta_path.name.removesuffix(SUFFIX)
    directory = meta_path.parent / "tests"
    if (directory / name).is_dir():
        directory = directory / name
    for path in sorted(directory.glob(f"*{_INPUT_SUFFIX}")):
        pairs = [path.with_name(_case(path) + suffix) for suffix in _EXPECTED_SUFFIXES]
        yield Golden(_case(path), path, next((pair for pair in pairs if pair.is_file()), pairs[0]))


def _case(path: Path) -> str:
    return path.name.removesuffix(_INPUT_SUFFIX).removesuffix(".json")
