"""`lorchestra list`: sources, transforms, mappings, schemas or runs, as rows of text."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from pathlib import Path

from lorchestra.base.wording import local_time
from lorchestra.history import runs
from lorchestra.planning import preflight
from lorchestra.planning.snapshot import Snapshot
from lorchestra.records import registry

Row = tuple[str, ...]


def rows(path: Path, kind: str) -> list[Row]:
    """The header and the rows of a table of one of `KINDS`. `path` is the configuration file. Raises Failure."""
    return list(KINDS[kind](preflight.snapshot(path)))


def _sources(snapshot: Snapshot) -> Iterator[Row]:
    from lorchestra.stages.extract import extraction

    yield "source", "type", "problem"
    for source in extraction.every(snapshot.config.extract.sources):
        failure = extraction.fault(source)
        yield source.name, source.type, failure.message if failure else ""


def _transforms(snapshot: Snapshot) -> Iterator[Row]:
    root = registry.home(snapshot.config.canonize.registry)
    used = {mapping.transform for mapping in snapshot.config.canonize.mappings}
    yield "transform", "used"
    for meta in sorted(root.rglob(f"*{registry.SUFFIX}")):
        folder = meta.parent.relative_to(root)
        versioned = meta.name == registry.VERSIONED
        name = f"{folder.parent}@{folder.name}" if versioned else str(folder / meta.name.removesuffix(registry.SUFFIX))
        yield name, "yes" if name in used else "no"


def _mappings(snapshot: Snapshot) -> Iterator[Row]:
    files = snapshot.canonical_files.raw.files
    yield "source_pattern", "transform", "type", "raw files"
    for rule in snapshot.rules:
        yield rule.pattern, rule.transform, rule.type, f"{len(fnmatch.filter(files, rule.pattern)):,}"


def _schemas(snapshot: Snapshot) -> Iterator[Row]:
    root = snapshot.config.canonize.schemas
    yield ("schema",)
    for file in sorted(root.glob("*/*/*/*")):
        yield (f"iglu:{file.relative_to(root)}".removesuffix(".json"),)


def _runs(snapshot: Snapshot) -> Iterator[Row]:
    yield "began", "status", *("extracted", "transformed", "indexed")
    for run in runs.runs(snapshot.config.log_directory):
        stages = run.get("stages", {})
        counts = (
            stages.get("extract", {}).get("records_extracted"),
            stages.get("canonize", {}).get("records_transformed"),
            stages.get("index", {}).get("records_indexed"),
        )
        yield local_time(run["began"]), run["status"], *("-" if count is None else f"{count:,}" for count in counts)


KINDS: dict[str, Callable[[Snapshot], Iterator[Row]]] = {
    "sources": _sources,
    "transforms": _transforms,
    "mappings": _mappings,
    "schemas": _schemas,
    "runs": _runs,
}
