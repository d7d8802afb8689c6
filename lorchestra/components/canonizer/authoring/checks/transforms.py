"""The findings of one transform: its metadata, its spec, its references and its golden tests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from lorchestra.base import yaml_document
from lorchestra.base.errors import Code, ConfigFailure, Failure
from lorchestra.components.canonizer.authoring import goldens
from lorchestra.components.canonizer.authoring.checks import Finding, attempt, specs
from lorchestra.components.canonizer.authoring.goldens import Golden
from lorchestra.components.canonizer.record import engines
from lorchestra.components.canonizer.registry import metadata, transforms
from lorchestra.components.canonizer.workers.pool import Pool
from lorchestra.records import registry
from lorchestra.records.names import is_transform

_RULES = {
    Code.TRANSFORM_TAMPERED: "checksum",
    Code.TRANSFORM_MISSING: "missing",
    Code.SCHEMA_MISSING: "missing",
    Code.SCHEMA_INVALID: "schema_invalid",
}


class _Parsed(NamedTuple):
    path: Path
    document: yaml_document.Document
    meta: metadata.Metadata

    def at(self, key: tuple[str, ...], rule: str, message: str) -> Finding:
        """A finding at the line of a key."""
        return Finding(self.path, self.document.place(key).line, rule, message)


def check(meta_path: Path, home: Path, schemas: Sequence[Path]) -> Iterator[Finding]:
    """The findings of the transform of a metadata file below `home`. `schemas`: where to look, if not the default."""
    parsed, failure = attempt(_parse, meta_path)
    if parsed is None:
        yield from _findings(meta_path, failure)
        return
    yield from _place(parsed, home)
    loaded, failure = attempt(transforms.load, meta_path, require_checksum=False)
    if loaded is None:
        yield from _findings(meta_path, failure)
        return
    yield from _checksum(parsed, loaded)
    with closing(Pool()) as pool:
        prepared, failure = attempt(goldens.prepare, pool, meta_path, schemas)
        if prepared is None:
            yield from _findings(meta_path, failure)
            return
        yield from specs.check(loaded)
        cases, failure = attempt(goldens.of, meta_path)
        yield from _goldens(pool, meta_path, cases or [], failure)
        if cases:
            yield from _other_engines(prepared["engine"], pool, meta_path, schemas, cases)


def leftovers(home: Path, metas: list[Path]) -> Iterator[Finding]:
    """Specs that no metadata names, and files of golden tests that no test uses."""
    specs_used, tests_used, unreadable = set(), set(), set()
    for path in metas:
        loaded, _ = attempt(transforms.load, path, require_checksum=False)
        specs_used.add(os.path.realpath(loaded.spec_path if loaded else registry.spec_of(path, None)))
        cases, failure = attempt(goldens.of, path)
        if failure:
            unreadable.add(path.parent)
        for case in cases or []:
            tests_used |= {os.path.realpath(case.input), os.path.realpath(case.expected)}
    for spec in transforms.below(home, ".jsonata"):
        if os.path.realpath(spec) not in specs_used:
            yield Finding(spec, 0, "orphan", "no metadata refers to this spec")
    for test in transforms.below(home, ".json"):
        known = unreadable.isdisjoint(test.parents)
        if known and goldens.is_golden(test, home) and os.path.realpath(test) not in tests_used:
            yield Finding(test, 0, "unused_test", "no golden test uses this file")


def _parse(path: Path) -> _Parsed:
    content = registry.read_bytes(path)
    meta = metadata.parse(content, str(path))
    return _Parsed(path, yaml_document.load(content, str(path)), meta)


def _place(parsed: _Parsed, home: Path) -> Iterator[Finding]:
    relative = parsed.path.relative_to(home)
    versioned = relative.name == registry.VERSIONED
    place = relative.parent.parent if versioned else relative.with_name(relative.name.removesuffix(registry.SUFFIX))
    if not is_transform(place.as_posix()):
        yield Finding(
            parsed.path,
            0,
            "id",
            "its path is not a transform's name: use letters, digits, _, and single - and . between them",
        )
    elif parsed.meta.id not in (None, place.as_posix()):
        yield parsed.at(("id",), "id", f"the path says {place.as_posix()}")
    if versioned and registry.version_numbers(relative.parent.name) != registry.version_numbers(parsed.meta.version):
        yield parsed.at(("version",), "version", f"the directory says {relative.parent.name}")


def _checksum(parsed: _Parsed, loaded: transforms.Transform) -> Iterator[Finding]:
    if parsed.meta.sha256 is None:
        yield parsed.at(("checksum",), "checksum", "missing: `can registry checksum --write` adds it")
    elif not loaded.sound:
        expected, found = parsed.meta.sha256[:12], loaded.spec_sha256[:12]
        yield parsed.at(("checksum",), "checksum", f"expected sha256 {expected}, found {found}")


def _goldens(pool: Pool, meta_path: Path, cases: list[Golden], failure: Failure | None) -> Iterator[Finding]:
    if failure:
        yield from (finding._replace(rule="golden") for finding in _findings(meta_path, failure))
    elif not cases:
        yield Finding(meta_path, 0, "no_golden", "no golden test: add one below tests/")
    for case in cases:
        for message in goldens.check(pool, case):
            yield Finding(case.expected, 0, "golden", message.removeprefix(f"{case.expected}: "))


def _other_engines(
    own: str, pool: Pool, meta_path: Path, schemas: Sequence[Path], cases: list[Golden]
) -> Iterator[Finding]:
    """Golden tests that pass under the transform's engine and fail under another one that is installed."""
    passing = [case for case in cases if not goldens.check(pool, case)]
    for engine in (name for name in engines.installed() if name != own):
        with closing(Pool()) as other:
            prepared, failure = attempt(goldens.prepare, other, meta_path, schemas, engine)
            if prepared is None:
                message = failure.message if failure else ""
                yield Finding(meta_path, 0, "engine", f"{engine}: {message.removeprefix(f'{meta_path}: ')}")
                continue
            for case in passing:
                for message in goldens.check(other, case):
                    yield Finding(case.expected, 0, "engine", f"{engine}: {message}")


def _findings(path: Path, failure: Failure | None) -> Iterator[Finding]:
    if isinstance(failure, ConfigFailure):
        yield from (Finding(path, finding.line, "metadata", finding.message) for finding in failure.findings)
    elif failure is not None:
        yield Finding(path, 0, _RULES.get(failure.code, "invalid"), failure.message.removeprefix(f"{path}: "))
