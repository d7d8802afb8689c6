"""`lorchestra run`: run the selected stages with doit; with --dry-run, show what would run."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra import __version__, phi
from lorchestra.base import program
from lorchestra.base.errors import Exit
from lorchestra.history import runs
from lorchestra.history.log import Log
from lorchestra.history.runs import RunRecord
from lorchestra.planning import noop, preflight, run_audit, surroundings, trusted_files
from lorchestra.planning.snapshot import ALWAYS_EXTRACTED, Snapshot
from lorchestra.process import programs

_EXTRACTED_FIRST = "its sources are extracted first"


class Step(NamedTuple):
    """What would happen to a task: RUN, MAYBE (if an earlier task decides), FAIL or skip, and why."""

    task: str
    verb: str
    reason: str


Listener = Callable[[dict[str, Any]], None]
"""Takes an event (history/events.schema.json)."""


def run(
    path: Path, stages: Sequence[str], *, verbose: bool = False, quiet: bool = False, listener: Listener | None = None
) -> RunRecord | Exit:
    """Run stages. Returns the exit status if doit ran and reported, or the record of a run that had nothing to do.

    With `quiet`, a run without failures prints nothing. `listener` gets each event; then nothing is printed at all.
    Raises Failure if the run could not start.
    """
    gc.set_threshold(1_000_000)  # a plan is tens of thousands of small objects, none of them garbage
    snapshot = preflight.snapshot(path)
    for warning in surroundings.place_warnings(snapshot.config.phi_directory):
        program.tell("lorchestra", warning, "")
    held = preflight.lock(snapshot)
    if "extract" not in stages and not verbose:  # a no-op does not know the tasks
        record = preflight.new_run(snapshot.config)
        if noop.holds(snapshot, stages, record):
            runs.write(snapshot.config.log_directory, record)
            run_audit.write(snapshot, record)
            _log_noop(snapshot, stages, record, listener)
            return record
    _check(snapshot, stages)
    run_audit.begin(snapshot, stages)
    # Importing doit takes longer than a whole no-op run.
    from lorchestra.scheduler.execute import execute
    from lorchestra.scheduler.tasks import Pipeline

    trusted_files.require_installation(snapshot.config)
    pipeline = Pipeline(snapshot, held=held, verbose=verbose)
    pipeline.reporter.is_quiet, pipeline.reporter.is_silent = quiet, listener is not None
    if listener:
        pipeline.log.listeners.append(listener)
    return execute(pipeline, stages)


def _log_noop(snapshot: Snapshot, stages: Sequence[str], record: RunRecord, listener: Listener | None) -> None:
    """The events of a run that did not need doit."""
    log = Log(snapshot.config.log_directory, record.run_id, snapshot.config.log_level)
    log.listeners += [listener] if listener else []
    log.event("run_started", tasks=list(stages), pid=os.getpid(), version=__version__)
    for stage in record.stages.values():
        log.event("stage_finished", stage.name, **stage.as_event())
    log.event("run_finished", status=record.status, duration_seconds=record.age_seconds)


def _check(snapshot: Snapshot, stages: Sequence[str]) -> None:
    """Find what would fail in any case before a source is queried. Raises Failure."""
    if "canonize" in stages or "index" in stages:
        programs.find(snapshot.config.canonize.command[0])
        _ = snapshot.rules  # raises if the registry or a transform is missing
    if "index" in stages:
        programs.find(snapshot.config.index.command[0])


def preview(path: Path, stages: Sequence[str]) -> list[Step]:
    """What a run of these stages would do. Changes nothing. Raises Failure if the run could not start."""
    snapshot = preflight.snapshot(path)
    phi.refuse(preflight.examine(snapshot))
    return list(_steps(snapshot, stages))


def _steps(snapshot: Snapshot, stages: Sequence[str]) -> Iterator[Step]:
    found = [*_extract(snapshot)] if "extract" in stages else []
    extracting = bool(found)
    if "canonize" in stages or "index" in stages:
        found += _canonize(snapshot, extracting)
    if "index" in stages:
        moving = {step.task.partition(":")[2].rpartition("-")[0] for step in found if step.verb in ("RUN", "MAYBE")}
        types = {target.type for target in snapshot.plan.targets} | {rule.type for rule in snapshot.rules}
        found += _index(snapshot, moving & types, extracting)
    for step in found:
        ignored = snapshot.store.ignored(step.task)
        yield step._replace(verb="skip", reason="ignored (doit ignore)") if ignored else step


def _extract(snapshot: Snapshot) -> Iterator[Step]:
    from lorchestra.stages.extract import extraction  # not needed by a no-op run

    for source in extraction.every(snapshot.config.extract.sources):
        failure = extraction.fault(source)
        verb, reason = ("FAIL", failure.message) if failure else ("RUN", ALWAYS_EXTRACTED)
        yield Step(f"extract:{source.name}", verb, reason)


def _canonize(snapshot: Snapshot, extracting: bool) -> Iterator[Step]:
    for target in snapshot.plan.targets:
        reasons = "; ".join(snapshot.verdict(target).reasons)
        yield _step(f"canonize:{target.name}", reasons, extracting, _EXTRACTED_FIRST)
    if extracting:
        for type_ in sorted({rule.type for rule in snapshot.rules} - {target.type for target in snapshot.plan.targets}):
            yield Step(f"canonize:{type_}-*", "MAYBE", "no raw file yet; its sources are extracted first")


def _index(snapshot: Snapshot, moving: set[str], extracting: bool) -> Iterator[Step]:
    types = snapshot.index_reasons()
    for type_ in sorted({*types, *moving}):
        maybe = _EXTRACTED_FIRST if extracting else "canonical files will be rebuilt"
        yield _step(f"index:{type_}", types.get(type_) or "", type_ in moving or extracting, maybe)


def _step(task: str, reason: str, uncertain: bool, maybe: str) -> Step:
    if reason:
        return Step(task, "RUN", reason)
    return Step(task, "MAYBE", maybe) if uncertain else Step(task, "skip", "up to date")
