"""Golden tests: documents next to a transform, and what it must make of them.

Metadata names them under `tests`, each as a mapping of `input` and `expect` (or `output`, `expected`), relative to the
metadata's directory. If it names none, the pairs `{case}.input.json` and `{case}.output.json` (or `.expected.json`) are
taken from the directory `tests/` of a versioned transform, or `tests/{name}/` of a flat one. The expected document is
an object; or an array, if a record becomes several or none.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lorchestra.base import yaml_document
from lorchestra.base.errors import Code, ConfigFailure, Failure, Finding
from lorchestra.components.canonizer.authoring.differences import Difference, differences
from lorchestra.components.canonizer.record.requests import Chunk, Order
from lorchestra.components.canonizer.record.rules import Reject, Stage
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
    """The result for one document: the records that it became, or why it was rejected."""

    records: list[Any]
    reject: Reject | None


def of(meta_path: Path) -> list[Golden]:
    """The golden tests of a transform. Raises ConfigFailure, Failure(TRANSFORM_MISSING)."""
    content = read_bytes(meta_path)
    meta = metadata.parse(content, str(meta_path))
    listed = meta.document.get("tests")
    if not listed:
        return list(_next_to(meta_path))
    reader = _Reader(meta_path, yaml_document.load(content, str(meta_path)))
    if not isinstance(listed, list):
        raise reader.failure((), "must be a list of input and expect")
    return [reader.golden(number, entry) for number, entry in enumerate(listed)]


def is_golden(path: Path, home: Path) -> bool:
    """Whether a file is named as part of a golden test and is below a directory `tests` of a registry."""
    return path.name.endswith((_INPUT_SUFFIX, *_EXPECTED_SUFFIXES)) and "tests" in path.relative_to(home).parts[:-1]


def prepare(
    pool: Pool, meta: Path, schemas: Sequence[Path] = (), engine: str | None = None, *, checks_output: bool = True
) -> dict[str, Any]:
    """Have a transform compiled, whatever its checksum; returns its identity. Raises Failure as `Pool.prepare`."""
    roots = tuple(map(as_text, schemas))
    return pool.prepare(Order(as_text(meta), roots, engine, require_checksum=False, checks_output=checks_output))


def apply(pool: Pool, document: bytes) -> Outcome:
    """What the transform that was prepared last makes of one JSON document, pretty-printed or not.

    Raises Failure(NOT_JSONL) if it is not JSON.
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
        expected = _json(golden.expected)
        outcome = apply(pool, read_bytes(golden.input))
    except Failure as failure:
        return [failure.message]
    if outcome.reject is not None:
        return [f"rejected: {reason(outcome.reject)}"]
    return [str(difference) for difference in compare(expected, outcome.records)]


def compare(expected: Any, records: list[Any]) -> Iterator[Difference]:
    """How the records of a transform differ from an expected document."""
    single = not isinstance(expected, list) and len(records) == 1
    return differences(expected, records[0] if single else records)


def reason(reject: Reject) -> str:
    """Why a record was rejected; contains nothing of the record."""
    place = f"{reject.spec_place} in the spec" if reject.spec_place else reject.schema_path
    return f"{reject.stage}: {reject.rule}" + (f" at {place}" if place else "")


def has_result(reject: Reject) -> bool:
    """Whether the transform returned something for a rejected record."""
    return reject.stage == Stage.SCHEMA_OUT or reject.rule == "not_an_object"


def _json(path: Path) -> Any:
    try:
        return orjson.loads(read_bytes(path).removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        raise Failure(Code.NOT_JSONL, f"{path}: not JSON") from None


class _Reader(NamedTuple):
    path: Path
    document: yaml_document.Document

    def golden(self, number: int, entry: Any) -> Golden:
        if not isinstance(entry, dict):
            raise self.failure((number,), "must name input and expect")
        key = next((key for key in _EXPECTED_KEYS if key in entry), _EXPECTED_KEYS[0])
        paths = []
        for part in ("input", key):
            if not isinstance(entry.get(part), str):
                raise self.failure((number, part), "must be the path of a file")
            if not is_below(entry[part]):
                raise self.failure(
                    (number, part),
                    f"must be below {self.path.parent}: move the file there and write a path without `..`",
                )
            paths.append(self.path.parent / entry[part])
        return Golden(_case(paths[0]), *paths)

    def failure(self, path: yaml_document.Path, message: str) -> ConfigFailure:
        line, column = self.document.place(("tests", *path))
        return ConfigFailure(
            str(self.path), [Finding(line, column, f"{'.'.join(map(str, ('tests', *path)))}: {message}")]
        )


def _next_to(meta_path: Path) -> Iterator[Golden]:
    name = meta_path.name.removesuffix(SUFFIX)
    directory = meta_path.parent / "tests"
    if (directory / name).is_dir():
        directory = directory / name
    for path in sorted(directory.glob(f"*{_INPUT_SUFFIX}")):
        pairs = [path.with_name(_case(path) + suffix) for suffix in _EXPECTED_SUFFIXES]
        yield Golden(_case(path), path, next((pair for pair in pairs if pair.is_file()), pairs[0]))


def _case(path: Path) -> str:
    return path.name.removesuffix(_INPUT_SUFFIX).removesuffix(".json")
