"""`lorchestra rejects`: rejected records by rule and field, of the canonizer and of the store, and refused raw files.

Counts name stages, rules and schema paths only. The records themselves are shown on a terminal, after confirmation.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lorchestra.base.commandline import closest, confirm
from lorchestra.base.errors import Code, Failure, from_os_error, visible
from lorchestra.base.wording import counted
from lorchestra.commands import refused
from lorchestra.planning import preflight
from lorchestra.planning.config import Config
from lorchestra.planning.snapshot import Snapshot
from lorchestra.records import names, rejects, targets
from lorchestra.storage import audit, private

_DAMAGED = "damaged_line"


class Filter(NamedTuple):
    """Which rejects: of a type, by a rule (`required` or `schema_in:required`), in files of a day or later."""

    type: str | None = None
    rule: str | None = None
    since: datetime | None = None

    def takes_file(self, name: names.DatedName) -> bool:
        """Whether it takes rejects of a canonical file."""
        return self.type in (None, name.stem) and (self.since is None or name.date >= f"{self.since:%Y%m%d}")

    def takes(self, reason: dict[str, Any]) -> bool:
        """Whether it takes a reject."""
        return self.rule in (None, reason["rule"], f"{reason['stage']}:{reason['rule']}")


class Group(NamedTuple):
    """Rejects with the same reason. `place` is the schema path, or the place in the transform's spec, if known."""

    records: int
    type: str
    stage: str
    rule: str
    place: str | None


class Report(NamedTuple):
    """The groups, most frequent first, the canonical files concerned, and refused raw files of any type."""

    groups: list[Group]
    files: list[str]
    refused: list[refused.Refused]

    @property
    def records(self) -> int:
        """The number of rejected records."""
        return sum(group.records for group in self.groups)


class Marked(NamedTuple):
    """The tasks that will run again, and canonical files that no raw file belongs to any more."""

    tasks: list[str]
    stale: list[str]


def report(path: Path, chosen: Filter) -> Report:
    """Count the rejects. `path` is the configuration file. Raises Failure(USAGE) if there is no such type."""
    snapshot = preflight.snapshot(path)
    config = snapshot.config
    _require_type(snapshot, chosen)
    groups: Counter[tuple[str, str, str, str | None]] = Counter()
    files: dict[str, None] = {}
    for type_, file, reason in _reasons(config, chosen):
        place = reason.get("spec_place") or reason.get("schema_path")
        groups[type_, reason["stage"], reason["rule"], place] += 1
        files[file.name] = None
    waiting = [] if chosen.type or chosen.rule else refused.find(path)
    return Report([Group(count, *key) for key, count in groups.most_common()], list(files), waiting)


def show(path: Path, chosen: Filter) -> Iterator[str]:
    """The rejected records, as lines for the terminal, after confirmation. The audit log notes it.

    Raises Failure(USAGE) without a terminal, (INTERRUPTED) if the answer is no.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure(
            Code.USAGE, "--show needs a terminal: rejected records are PHI", advice="Leave out --show to count."
        )
    found = report(path, chosen)
    if not found.records:
        return
    if not confirm(f"Show {counted(found.records, 'rejected record')} on this terminal?"):
        raise Failure(Code.INTERRUPTED, "nothing was shown", advice="")
    config = preflight.snapshot(path).config
    trail = audit.create(config.work_directory, config.log_directory)
    audit.append(trail, "lorchestra rejects --show", records=found.records)
    for file in _files(config, chosen):
        with file.open("rb") as lines:
            for line in lines:
                reason = _checked(rejects.reason(line))
                if chosen.takes(reason):
                    yield from _shown(reason, line)


def retry(path: Path, chosen: Filter) -> Marked:
    """Mark the canonical files and types with these rejects to be rebuilt by the next run.

    A file is rebuilt as a whole: the result is what a full rebuild gives. Raises Failure(USAGE) if there is no such
    type, (BUSY) while a run is in progress.
    """
    snapshot = preflight.snapshot(path)
    _require_type(snapshot, chosen)
    lock = preflight.lock(snapshot, "lorchestra rejects retry")
    try:
        planned = {target.file: target for target in snapshot.plan.targets}
        tasks, stale = dict[str, None](), dict[str, None]()
        for type_, file, reason in _reasons(snapshot.config, chosen):
            if file.name not in planned:
                stale[file.name] = None
            elif reason["stage"] == "index":
                tasks[f"index:{type_}"] = None
            else:
                tasks[f"canonize:{planned[file.name].name}"] = None
        for task in tasks:
            snapshot.store.remove(task)
        snapshot.store.dump()
        return Marked(list(tasks), list(stale))
    finally:
        private.unlock(lock)


def _require_type(snapshot: Snapshot, chosen: Filter) -> None:
    if chosen.type is None:
        return
    types = {rule.type for rule in snapshot.rules}
    types |= {file.name.rpartition("-")[0] for file in _files(snapshot.config, Filter())}
    if chosen.type not in types:
        raise Failure(Code.USAGE, f"there is no type {chosen.type}{closest(chosen.type, types)}")


def _files(config: Config, chosen: Filter) -> Iterator[Path]:
    """The rejects files of the canonizer, then those of the store, by name."""
    stages = (config.canonize.output_dir, config.index.output_dir)
    for directory in (stage / targets.REJECTS_DIRECTORY for stage in stages):
        for file in sorted(directory.glob(f"*{names.SUFFIX}")):
            name = names.parse_canonical(file.name)
            if name and chosen.takes_file(name):
                yield file


def _reasons(config: Config, chosen: Filter) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """The type, the file and the reason of each reject."""
    try:
        for file in _files(config, chosen):
            for reason in map(_checked, rejects.reasons(file)):
                if chosen.takes(reason):
                    yield file.name.rpartition("-")[0], file, reason
    except OSError as error:
        raise from_os_error(error) from None


def _checked(reason: dict[str, Any]) -> dict[str, Any]:
    """A damaged line counts as a reject with a rule of its own."""
    is_whole = isinstance(reason.get("stage"), str) and isinstance(reason.get("rule"), str)
    return reason if is_whole else {"stage": "unknown", "rule": _DAMAGED}


def _shown(reason: dict[str, Any], line: bytes) -> Iterator[str]:
    """A reject for the terminal, without characters that it would obey."""
    place = reason.get("spec_place") or reason.get("schema_path")
    yield visible(
        f"{reason.get('input', '')}:{reason.get('line', '')}  {reason['stage']}: {reason['rule']}  {place or ''}"
    )
    try:
        text = orjson.dumps(rejects.record(line), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        text = line.decode("utf-8", "replace").rstrip("\n")
    yield from map(visible, text.split("\n"))


def text(found: Report) -> str:
    """A table for people."""
    if not (found.groups or found.refused):
        return "no rejected records, no refused files\n"
    rows = [("records", "type", "stage", "rule", "place")]
    rows += [(f"{group.records:,}", group.type, group.stage, group.rule, group.place or "-") for group in found.groups]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = [
        visible("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()) for row in rows
    ]
    lines = [*table, f"{counted(found.records, 'rejected record')} in {counted(len(found.files), 'file')}"]
    lines = lines if found.groups else ["no rejected records"]
    lines += [
        f"refused  {visible(file.path.name)}  {file.source}  {counted(file.lines, 'line')}" for file in found.refused
    ]
    if found.refused:
        lines.append("`lorchestra refused` re-submits or discards refused files.")
    return "\n".join(lines) + "\n"


def as_json(found: Report) -> dict[str, Any]:
    """The report as data."""
    return {
        "records": found.records,
        "groups": [group._asdict() for group in found.groups],
        "files": found.files,
        "refused": [{"source": file.source, "file": file.path.name, "lines": file.lines} for file in found.refused],
    }
