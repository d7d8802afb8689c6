"""`lorchestra run`: run the selected stages with doit."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lorchestra import __version__
from lorchestra.base import program
from lorchestra.base.errors import Code, Exit, Failure
from lorchestra.history import runs
from lorchestra.history.log import Log
from lorchestra.history.runs import RunRecord
from lorchestra.notification import delivery, message
from lorchestra.planning import config as configuration
from lorchestra.planning import noop, preflight, run_audit, surroundings, trusted_files
from lorchestra.planning.snapshot import Snapshot
from lorchestra.process import programs

Listener = Callable[[dict[str, Any]], None]
"""Takes an event (history/events.schema.json)."""


def run(
    path: Path, stages: Sequence[str], *, verbose: bool = False, quiet: bool = False, listener: Listener | None = None
) -> RunRecord | Exit:
    """Run stages. Returns the exit status if doit ran and reported, or the record of a run that had nothing to do.

    With `quiet`, a run without failures prints nothing. `listener` gets each event; then nothing is printed at all.
    Raises Failure if the run could not start.
    """
    try:
        return _run(path, stages, verbose=verbose, quiet=quiet, listener=listener)
    except Failure as failure:
        _notify_refused(path, failure.code)
        raise


def _notify_refused(path: Path, code: Code) -> None:
    """Notify the user that a run could not begin, as far as pipeline.yaml can be read."""
    if code is Code.BUSY:  # the run in progress will notify
        return
    try:
        config = configuration.load(path)
        trusted_files.require_programs(config)
    except Failure:
        return
    for warning in delivery.deliver(config, message.of_refused_run(config.name, code)):
        program.tell("lorchestra", warning, "")


def _run(
    path: Path, stages: Sequence[str], *, verbose: bool, quiet: bool, listener: Listener | None
) -> RunRecord | Exit:
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
            record.warnings += delivery.after_run(snapshot.config, record)
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
    if record.warnings:
        log.event("notification_failed", level="WARNING", count=len(record.warnings))
    log.event("run_finished", status=record.status, duration_seconds=record.age_seconds)


def _check(snapshot: Snapshot, stages: Sequence[str]) -> None:
    """Find what would fail in any case before a source is queried. Raises Failure."""
    if "canonize" in stages or "index" in stages:
        programs.find(snapshot.config.canonize.command[0])
        _ = snapshot.rules  # raises if the registry or a transform is missing
    if "index" in stages:
        programs.find(snapshot.config.index.command[0])
