"""`lorchestra clean`: remove files that can be rebuilt, or that have no raw file any more, after confirmation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lorchestra.base.commandline import confirm
from lorchestra.base.errors import Code, Failure
from lorchestra.base.wording import counted
from lorchestra.planning import cleaning, preflight, store_contents
from lorchestra.planning.snapshot import Snapshot
from lorchestra.sinks import factory
from lorchestra.stages import index


class Cleaning(NamedTuple):
    """What would be removed, what that means, and the types whose records are then to be retired."""

    paths: tuple[Path, ...]
    warnings: tuple[str, ...]
    types: tuple[str, ...]


_WARNINGS = {
    "extract": "Raw extracts can be restored only if their sources deliver the records again.",
    "canonize": "Canonical files are rebuilt from the raw files.",
    "index": "The store is rebuilt from the canonical files, without earlier revisions of its objects.",
}


def find(snapshot: Snapshot, stages: Sequence[str], *, stale: bool) -> Cleaning:
    """What `clean` would remove. Raises Failure(USAGE) if the store cannot be rebuilt."""
    config = snapshot.config
    if stale:
        paths = [path for found in snapshot.stale for path in cleaning.files_of(config, found.name)]
        types = dict.fromkeys(found.type for found in snapshot.stale)
        return Cleaning(tuple(paths), ("Their records are retired in the store, not deleted.",), tuple(types))
    paths = []
    if "extract" in stages:
        paths += cleaning.raw_files(config)
    if "canonize" in stages:
        paths += [path for name in cleaning.canonical_names(config) for path in cleaning.files_of(config, name)]
    if "index" in stages:
        _check_rebuildable(config.index.output_dir)
        paths += sorted(config.index.output_dir.iterdir()) if config.index.output_dir.is_dir() else []
    return Cleaning(tuple(paths), tuple(_WARNINGS[stage] for stage in stages), ())


def _check_rebuildable(store: Path) -> None:
    if number := store_contents.batches(store):
        message = f"{store}: contains records of streams, which no file can restore (batches: {number:,})"
        advice = "Nothing was removed. To remove the store, copy it with `vector-projector backup`, then delete it."
        raise Failure(Code.USAGE, message, advice=advice)


def clean(path: Path, stages: Sequence[str], *, stale: bool, dry_run: bool, yes: bool) -> tuple[Cleaning, bool]:
    """Find files, remove them after confirmation; return them and whether they were removed. Raises Failure."""
    snapshot = preflight.snapshot(path)
    if dry_run:
        return find(snapshot, stages, stale=stale), False
    preflight.lock(snapshot, "lorchestra clean")
    found = find(snapshot, stages, stale=stale)
    if not found.paths:
        return found, False
    question = f"{' '.join(found.warnings)} Remove {counted(len(found.paths), 'path')}?"
    if not confirm(question, yes=yes):
        return found, False
    cleaning.remove(found.paths)
    for type_ in found.types:
        index.index(type_, factory.create(snapshot.config), snapshot.config.index.retry, prune=True)
    return found, True
