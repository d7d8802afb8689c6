"""The findings of one transform: its metadata, its spec, its references and its golden tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from lorchestra.base import yaml_document
from lorchestra.base.errors import Code, ConfigFailure, Failure
from lorchestra.components.canonizer.authoring import goldens
from lorchestra.components.canonizer.authoring.checks import Finding, attempt
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


def check(meta_path: Path, home: Path, schemas: Path) -> Iterator[Finding]:
    """The findings of the transform of a metadata file below `home`."""
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
        yield from _goldens(pool, meta_path) if prepared else _findings(meta_path, failure)


def orphans(home: Path, metas: list[Path]) -> Iterator[Finding]:
    """Specs that no metadata names."""
    named = set()
    for path in metas:
        loaded, _ = attempt(transforms.load, path, require_checksum=False)
        spec = loaded.spec_path if loaded else registry.spec_of(path, None)
        named.add(os.path.realpath(spec))
    for spec in transforms.below(home, ".jsonata"):
        if os.path.realpath(spec) not in named:
            yield Finding(spec, 0, "orphan", "no metadata refers to this spec")


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
    if versioned and relative.parent.name != parsed.meta.version:
        yield parsed.at(("version",), "version", f"the directory says {relative.parent.name}")


def _checksum(parsed: _Parsed, loaded: transforms.Transform) -> Iterator[Finding]:
    if parsed.meta.sha256 is None:
        yield parsed.at(("checksum",), "checksum", "missing: `can registry checksum --write` adds it")
    elif not loaded.sound:
        expected, found = parsed.meta.sha256[:12], loaded.spec_sha256[:12]
        yield parsed.at(("checksum",), "checksum", f"expected sha256 {expected}, found {found}")


def _goldens(pool: Pool, meta_path: Path) -> Iterator[Finding]:
    cases, failure = attempt(goldens.of, meta_path)
    if failure:
        yield from (finding._replace(rule="golden") for finding in _findings(meta_path, failure))
    elif not cases:
        yield Finding(meta_path, 0, "no_golden", "no golden test: add one below tests/")
    for case in cases or ():
        for message in goldens.check(pool, case):
            yield Finding(case.expected, 0, "golden", message.removeprefix(f"{case.expected}: "))


def _findings(path: Path, failure: Failure | None) -> Iterator[Finding]:
    if isinstance(failure, ConfigFailure):
        yield from (Finding(path, finding.line, "metadata", finding.message) for finding in failure.findings)
    elif failure is not None:
        yield Finding(path, 0, _RULES.get(failure.code, "invalid"), failure.message.removeprefix(f"{path}: "))
