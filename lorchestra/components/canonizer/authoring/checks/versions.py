"""The versions of a schema next to each other: gaps, and version numbers that understate a change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.components.canonizer.authoring import evolution
from lorchestra.components.canonizer.authoring.checks import Severity
from lorchestra.components.canonizer.authoring.evolution import Step
from lorchestra.records import iglu
from lorchestra.records.iglu import SchemaKey


class Version(NamedTuple):
    """One version of a schema and its file. `document` is None if it is not valid."""

    key: SchemaKey
    path: Path
    document: dict[str, Any] | None


def successors(versions: Iterable[Version]) -> Iterator[tuple[Version, Version]]:
    """Each version of a schema with the one that follows it."""
    groups = defaultdict(list)
    for version in versions:
        groups[version.key[:3]].append(version)
    for group in groups.values():
        yield from pairwise(sorted(group, key=lambda version: version.key))


def faults(old: Version, new: Version) -> Iterator[tuple[str, Severity | None]]:
    """What is wrong with a version and its successor: a sentence, and the severity if it is not that of the rule."""
    declared = _declared(old.key, new.key)
    if declared is None:
        yield f"follows {old.key.version}, but versions between them are missing", None
        declared = _declared(old.key, new.key, gaps=True) or Step.MODEL
    if old.document is None or new.document is None:
        return
    changes = evolution.changes(old.document, new.document)
    taken = evolution.step(changes)
    if taken > declared:
        certain = evolution.step([change for change in changes if change.certain])
        level = Severity.ERROR if certain is Step.MODEL else None if certain > declared else Severity.INFO
        expected = evolution.next_version(old.key.version, taken)
        yield f"the change from {old.key.version} is a {taken.name.lower()}: its version is {expected}", level


def _declared(old: SchemaKey, new: SchemaKey, *, gaps: bool = False) -> Step | None:
    """The step from one version number to the next; None if it is not a single step."""
    for step in (Step.ADDITION, Step.REVISION, Step.MODEL):
        if evolution.next_version(old.version, step) == new.version:
            return step
    if not gaps:
        return None
    if new.model > old.model:
        return Step.MODEL
    return Step.REVISION if new.revision > old.revision else Step.ADDITION


def key_of(path: Path, root: Path) -> SchemaKey | None:
    """The schema that belongs at a path below a directory of schemas; None if the path is not that of a schema."""
    return iglu.parse("iglu:" + path.relative_to(root).as_posix().removesuffix(".json"))
