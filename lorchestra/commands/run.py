"""`lorchestra run`: the stages that are asked for, through doit; or, with --dry-run, what they would do."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lorchestra import phi
from lorchestra.base.errors import Exit
from lorchestra.history import runs
from lorchestra.history.runs import RunRecord
from lorchestra.planning import noop, preflight, trusted_files
from lorchestra.planning.snapshot import Snapshot


class Step(NamedTuple):
    """What would happen to a task: RUN, MAYBE (where that depends on a task before it) or skip, and why."""

    task: str
    verb: str
    reason: str


def run(path: Path, stages: Sequence[str], *, verbose: bool = False) -> RunRecord | Exit:
    """Run stages. What doit did has been told on the way; a run without anything to do comes back as its record.

    Raises Failure where nothing could begin.
    """
    gc.set_threshold(1_000_000)  # tens of thousands of small objects are about to be made, and none of them is garbage
    snapshot = preflight.snapshot(path)
    held = preflight.lock(snapshot)
    if "extract" not in stages:
        record = preflight.new_run(snapshot.config)
        if noop.holds(snapshot, stages, record):
            runs.write(snapshot.config.log_directory, record)
            return record
    # doit is imported only where there is something to do: it takes longer to start than the no-op as a whole.
    from lorchestra.scheduler.execute import execute
    from lorchestra.scheduler.tasks import Pipeline

    trusted_files.require_installation()
    return execute(Pipeline(snapshot, held=held, verbose=verbose), stages)


def preview(path: Path, stages: Sequence[str]) -> list[Step]:
    """What a run of these stages would do, changing nothing. Raises Failure where it could not begin."""
    snapshot = preflight.snapshot(path)
    phi.refuse(preflight.examine(snapshot))
    return list(_steps(snapshot, stages))


def _steps(snapshot: Snapshot, stages: Sequence[str]) -> Iterator[Step]:
    from lorchestra.stages.extract import extraction  # a run that has nothing to do needs it not

    if "extract" in stages:
        for source in extraction.every(snapshot.config.extract.sources):
            yield Step(f"extract:{source.name}", "RUN", "a source is asked in every run")
    moving: set[str] = set()
    if "canonize" in stages or "index" in stages:
        for target in snapshot.plan.targets:
            reasons = snapshot.verdict(target).reasons
            if reasons:
                moving.add(target.type)
            yield _step(
                f"canonize:{target.name}", "; ".join(reasons), "extract" in stages, "its sources are asked first"
            )
    if "index" in stages:
        types = snapshot.index_reasons()
        for type_ in sorted({*types, *moving}):
            maybe = "canonical files will be made" if type_ in moving else "its sources are asked first"
            yield _step(f"index:{type_}", types.get(type_) or "", type_ in moving or "extract" in stages, maybe)


def _step(task: str, reason: str, uncertain: bool, maybe: str) -> Step:
    if reason:
        return Step(task, "RUN", reason)
    return Step(task, "MAYBE", maybe) if uncertain else Step(task, "skip", "up to date")
