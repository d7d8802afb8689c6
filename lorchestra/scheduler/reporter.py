"""Turns doit's events into lines on the terminal, log events, and the run's record.

doit calls `execute_task` from the threads that run tasks and everything else from the main thread.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from doit.exceptions import BaseFail, UnmetDependency

from lorchestra.base.errors import HANDLING, Code, Failure, Outcome
from lorchestra.history import stages
from lorchestra.history.log import Log
from lorchestra.history.runs import Losses, Problem, RunRecord, StageRecord
from lorchestra.history.summary import summary
from lorchestra.scheduler import interrupts
from lorchestra.scheduler.actions import Failed

_WIDE = 100
"""From how many columns on the reasons are aligned."""
_LISTED = 40
"""How many tasks of a stage are listed as they begin, without --verbose."""


if TYPE_CHECKING:
    from lorchestra.history.live import Live

_LEVELS = {"ok": "INFO", "interrupted": "WARNING", "failed": "ERROR"}


class Run(Protocol):
    """What the reporter needs of the pipeline."""

    def remembered(self, task: str) -> Mapping[str, Any]:
        """The values that a task returned when it last ran."""

    def source_ended(self, source: str) -> None:
        """A source has delivered, or failed after its last attempt."""

    def stop(self) -> None:
        """End everything that the run has started."""

    def finish(self) -> None:
        """Record the run."""


class Reporter:
    """doit's reporter interface (see `doit.reporter.ConsoleReporter`), for one run."""

    desc = "what runs and why, what failed, and what to do"

    def __init__(self, pipeline: Run, record: RunRecord, log: Log, *, verbose: bool = False) -> None:
        self.verbose = verbose
        self.first_failure: Code | None = None
        self._pipeline = pipeline
        self._record = record
        self._log = log
        self.is_quiet = False
        """Whether only failures and the end are printed."""
        self.is_silent = False
        """Whether nothing is printed: somebody else shows the events."""
        self._output: TextIO = sys.stdout
        self._live: Live | None = None
        self._lock = threading.RLock()
        self._reasons: dict[str, str] = {}
        self._running: dict[str, Mapping[str, Any]] = {}  # the tasks that run now, with the values of their last run
        self._began: dict[str, float] = {}
        self._listed: dict[str, int] = {}
        self._records: dict[str, int] = {}  # of the tasks that were counted

    @property
    def running(self) -> int:
        """How many tasks are running."""
        return len(self._running)

    @property
    def finished(self) -> set[str]:
        """The tasks that succeeded or were up to date."""
        return set(self._records)

    def set_reason(self, task: str, reason: str) -> None:
        """Why a task is about to run."""
        self._reasons[task] = reason

    def show_progress(self) -> None:
        """Draw the progress on the terminal, if there is one and somebody wants to see it."""
        can_draw = self._output.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        if can_draw and not (self.is_quiet or self.is_silent or self.verbose):
            from lorchestra.history.live import Live  # rich takes longer to import than a no-op run

            self._live = Live()
            self._log.listeners.append(self._live)

    def initialize(self, tasks: Mapping[str, Any], selected: list[str]) -> None:
        """Tasks are loaded, none has begun."""

    def get_status(self, task: Any) -> None:
        """A task is about to be checked. The permission check is shown now: a thread may take it up late."""
        if task.name == "phi":
            self._list("phi", ". ", task.name, "checked in every run")

    def execute_task(self, task: Any) -> None:
        """A task begins."""
        name = shown(task.name)
        stage = stages.of_task(name)
        if not task.actions or stage is None:
            return
        with self._lock:
            self._running[name] = self._pipeline.remembered(name)
            self._began[name] = time.monotonic()
            reason = self._reasons.pop(task.name, "")
            self._list(stage.name, ". ", name, reason)
            self._log.event("task_started", stage.name, task=name, reason=reason)
            record = self._record.stage(stage.name)
            if record.began is None:
                record.began = time.monotonic()
                self._log.event("stage_started", stage.name)

    def add_success(self, task: Any) -> None:
        """A task has succeeded."""
        name = shown(task.name)
        stage = stages.of_task(name)
        if not task.actions or stage is None:
            return
        values: Mapping[str, Any] = task.values
        counts = {key: value for key, value in values.items() if type(value) is int}
        self._log_end(name, "ok", counts)
        with self._lock:
            before = self._running.pop(name, {})
            record = self._record.stage(stage.name)
            record.ended = time.monotonic()
            record.add(counts)
            self._count(record, task, values, built=True)
            if stage.name == "canonize":
                self._add_losses(name.partition(":")[2], counts, before)
        if stage.name == "extract":
            self._add_source(name, values)

    def add_failure(self, task: Any, fail: BaseFail) -> None:
        """A task has failed, or could not begin."""
        if isinstance(fail, UnmetDependency) and not task.actions:
            return  # a group; its tasks were not held back
        name = shown(task.name)
        outcome = fail.outcome if isinstance(fail, Failed) else Outcome.of(Failure(Code.UNEXPECTED, fail.get_name()))
        with self._lock:
            self._running.pop(name, None)
        self._fail(name, outcome)
        if name.startswith("extract:"):
            self._pipeline.source_ended(name.partition(":")[2])

    def fail_stage(self, stage: str, code: Code, message: str) -> None:
        """A stage produced less than its validation asks for."""
        self._fail(stage, Outcome.of(Failure(code, message)))

    def skip_uptodate(self, task: Any) -> None:
        """A task need not run."""
        stage = stages.of_task(task.name)
        if task.meta and "ignored" in task.meta:
            self._ignore(task.name)
        elif task.actions and stage:
            values = self._pipeline.remembered(task.name)
            self._count(self._record.stage(stage.name), task, values, built=False)
            if stage.name == "canonize":
                self._record.losses_before += bool(values.get("rejected") or values.get("dropped"))
            if self.verbose:
                self._write(f"-- {task.name}\n")

    def skip_ignore(self, task: Any) -> None:
        """doit finds no ignored task: see `Pipeline`."""

    def _ignore(self, name: str) -> None:
        self._record.ignored.append(name)
        stage = name.partition(":")[0]
        self._list(stage, "!!", name, f"ignored; `doit forget {name}` makes it run again")
        self._log.event("task_ignored", stage, "WARNING", task=name)
        if name.startswith("extract:"):
            self._pipeline.source_ended(name.partition(":")[2])

    def cleanup_error(self, _exception: BaseFail) -> None:
        """No task has a teardown."""

    def runtime_error(self, message: str) -> None:
        """doit found an error in the tasks; the text names tasks and paths."""
        self._record.aborted = True
        self._fail("doit", Outcome(Code.UNEXPECTED, message, HANDLING[Code.UNEXPECTED].advice))

    def teardown_task(self, _task: Any) -> None:
        """No task has a teardown."""

    def complete_run(self) -> None:
        """Everything is done, or the run cannot go on."""
        error = sys.exc_info()[1]
        self._record.interrupted = isinstance(error, KeyboardInterrupt)
        self._record.aborted |= isinstance(error, Exception)
        if self._record.interrupted or self._record.aborted:
            self._pipeline.stop()
            self._add_interrupted()
        self._pipeline.finish()
        for record in self._record.stages.values():
            level = "ERROR" if record.failures else "INFO"
            self._log.event("stage_finished", record.name, level, **record.as_event())
        level = "INFO" if self._record.status == "SUCCESS" else "ERROR"
        seconds = self._record.age_seconds
        self._log.event("run_finished", level=level, status=self._record.status, duration_seconds=seconds)
        self._stop_live()
        if not (self.is_quiet and self._record.status == "SUCCESS"):
            self._write(summary(self._record))
        interrupts.ignore()

    def _stop_live(self) -> None:
        if self._live:
            self._log.listeners.remove(self._live)
            self._live.stop()
            self._live = None

    def _log_end(self, task: str, status: str, counts: Mapping[str, int] = {}, code: Code | None = None) -> None:
        stage = stages.of_task(task)
        self._log.event(
            "task_finished",
            stage.name if stage else None,
            _LEVELS[status],
            task=task,
            status=status,
            duration_seconds=round(time.monotonic() - self._began[task], 3) if task in self._began else 0,
            counts=dict(counts),
            code=str(code) if code else None,
        )

    def _add_interrupted(self) -> None:
        with self._lock:
            for name in self._running:
                self._record.stage(name.partition(":")[0]).interrupted.append(name)
                self._log_end(name, "interrupted", code=Code.INTERRUPTED)

    def _add_source(self, name: str, values: Mapping[str, Any]) -> None:
        self._record.sources[name.partition(":")[2]] = values.get("new_records", 0)
        if warning := values.get("warning"):
            self._record.warnings.append(f"{name}: {warning}")
            self._log.event("task_warned", "extract", "WARNING", task=name)
        if "code" in values:
            code = Code(values["code"])
            advice = values["advice"] or HANDLING[code].advice
            self._fail(name, Outcome(code, f"incomplete: {values['what']}", advice))
        elif values.get("attempts", 1) > 1:
            self._record.retried[name] = values["attempts"]
        self._pipeline.source_ended(name.partition(":")[2])

    def _add_losses(self, target: str, counts: Mapping[str, int], before: Mapping[str, Any]) -> None:
        lost = Losses.of(target, counts)
        if before.get("records_in"):
            lost = lost._replace(share_before=Losses.of(target, before).share)
        if lost.rejected or lost.dropped:
            self._record.losses.append(lost)

    def _count(self, record: StageRecord, task: Any, values: Mapping[str, Any], *, built: bool) -> None:
        """Count a task once, also if a late source makes it run a second time."""
        name, stage = shown(task.name), stages.STAGES[record.name]
        if name not in self._records:
            record.built += built
            record.up_to_date += not built
        records = int(values.get(stage.records, 0))
        record.records += records - self._records.get(name, 0)
        self._records[name] = records
        record.output_files += values.get("files", []) if stage.name == "extract" else task.meta["files"]

    def _fail(self, task: str, outcome: Outcome) -> None:
        assert outcome.code
        self.first_failure = self.first_failure or outcome.code
        self._record.problems.append(Problem(task, outcome))
        self._write(f"!! {task}: {outcome.message}\n")
        stage = stages.of_task(task)
        self._log_end(task, "failed", code=outcome.code)
        if stage:
            record = self._record.stage(stage.name)
            record.ended = time.monotonic()
            record.failures[task] = str(outcome.code)

    def _list(self, stage: str, mark: str, task: str, reason: str) -> None:
        if self.is_quiet:
            return
        count = self._listed[stage] = self._listed.get(stage, 0) + 1
        if self.verbose or count <= _LISTED:
            is_narrow = self._output.isatty() and shutil.get_terminal_size().columns < _WIDE
            self._write(f"{mark} {task if is_narrow else f'{task:<46}'} {reason}".rstrip() + "\n")
        elif count == _LISTED + 1:
            self._write(f".  {stage}: and more; --verbose lists all\n")

    def _write(self, text: str) -> None:
        if self.is_silent:
            return
        if self._live:
            self._live.write(text)
            return
        try:
            self._output.write(text)
            self._output.flush()
        except BrokenPipeError:
            # The reader has seen enough. The run goes on.
            self._output = open(os.devnull, "w")  # noqa: SIM115 # rule: open-for-writing - nowhere


def shown(task: str) -> str:
    """A task's name as people see it: that of its first round."""
    return task.removeprefix("_late_")
