"""Tells what runs and why, and keeps the run's record: doit's events become lines, log events and counts."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from doit.exceptions import BaseFail, UnmetDependency

from lorchestra.base.errors import HANDLING, Code, Failure
from lorchestra.history.log import Log
from lorchestra.history.runs import RECORDS, RunRecord, StageRecord
from lorchestra.history.summary import summary
from lorchestra.scheduler.actions import Failed

_SHOWN = 12
_RECORDS = {"extract": "records", "canonize": "records_out", "index": "objects"}
"""The value of a task that counts the records its outputs hold."""


class Reporter:
    """doit's reporter interface (see `doit.reporter.ConsoleReporter`), for one run."""

    desc = "what runs and why, what is skipped, what failed and what to do"

    def __init__(
        self,
        run: RunRecord,
        log: Log,
        remembered: Callable[[str], Mapping[str, Any]],
        finish: Callable[[], None],
        *,
        verbose: bool = False,
    ) -> None:
        """`remembered` gives the values that a task returned when it last ran; `finish` is called when all is done."""
        self._run = run
        self._log = log
        self._remembered = remembered
        self._finish = finish
        self._output: TextIO = sys.stdout
        self._verbose = verbose
        self._reasons: dict[str, str] = {}
        self._skipped: dict[str, int] = {}
        self.first_failure: Code | None = None

    def tell(self, task: str, reason: str) -> None:
        """Why a task is about to run."""
        self._reasons[task] = reason

    def initialize(self, tasks: Mapping[str, Any], selected: list[str]) -> None:
        """Tasks are loaded, none has begun."""

    def get_status(self, task: Any) -> None:
        """A task is about to be judged. The check is told now: with several processes its turn may come late."""
        if task.name == "phi":
            self._write(f".  {task.name:<46} checked in every run\n")

    def execute_task(self, task: Any) -> None:
        """A task begins."""
        if not task.actions or task.name == "phi":
            return
        reason = self._reasons.pop(task.name, "")
        self._write(f".  {task.name:<46} {reason}".rstrip() + "\n")
        self._log.event("task_started", _stage_name(task.name), task=task.name, reason=reason)
        stage = self._stage(task.name)
        if stage and stage.began is None:
            stage.began = time.monotonic()
            self._log.event("stage_started", stage.name)

    def add_success(self, task: Any) -> None:
        """A task has ended well."""
        if not task.actions:
            return
        counts = {name: value for name, value in task.values.items() if type(value) is int}
        self._log.event("task_succeeded", _stage_name(task.name), task=task.name, counts=counts)
        stage = self._stage(task.name)
        if stage:
            stage.built += 1
            stage.ended = time.monotonic()
            stage.add(counts)
            self._account(stage, task, task.values)
        if warning := task.values.get("warning"):
            self._write(f"?? {task.name}: {warning}\n")
            self._log.event("task_warned", _stage_name(task.name), "WARNING", task=task.name)
        if "code" in task.values:
            code = Code(task.values["code"])
            self._fail(
                task.name, code, f"partly: {task.values['what']}", task.values["advice"] or HANDLING[code].advice
            )

    def add_failure(self, task: Any, fail: BaseFail) -> None:
        """A task has failed, or could not begin."""
        if isinstance(fail, UnmetDependency) and not task.actions:
            return  # a group; its tasks were not held back
        failed = fail if isinstance(fail, Failed) else Failed(Failure(Code.UNEXPECTED, fail.get_name()))
        self._fail(task.name, failed.code, failed.message, failed.advice)

    def fail_stage(self, stage: str, code: Code, what: str) -> None:
        """A stage came to less than its validation asks for."""
        self._fail(stage, code, what, HANDLING[code].advice)

    def _fail(self, task: str, code: Code, what: str, advice: str) -> None:
        self.first_failure = self.first_failure or code
        self._write(f"!! {task}: {what}\n   {advice}\n")
        self._log.event("task_failed", _stage_name(task), "ERROR", task=task, code=str(code))
        stage = self._stage(task)
        if stage:
            stage.ended = time.monotonic()
            stage.failures[task] = str(code)

    def skip_uptodate(self, task: Any) -> None:
        """A task need not run."""
        stage = self._stage(task.name)
        if not task.actions or not stage:
            return
        stage.up_to_date += 1
        self._account(stage, task, self._remembered(task.name))
        self._skipped[stage.name] = self._skipped.get(stage.name, 0) + 1
        if self._verbose or self._skipped[stage.name] <= _SHOWN:
            self._write(f"-- {task.name}\n")

    def skip_ignore(self, task: Any) -> None:
        """A task was to be ignored, as the user said."""
        self._write(f"!! {task.name:<46} ignored; `doit forget {task.name}` ends that\n")
        self._log.event("task_ignored", _stage_name(task.name), "WARNING", task=task.name)

    def cleanup_error(self, _exception: BaseFail) -> None:
        """No task has a teardown."""

    def runtime_error(self, message: str) -> None:
        """doit itself found a fault in the tasks; the text names tasks and paths."""
        self.first_failure = self.first_failure or Code.UNEXPECTED
        self._run.broken_off = True
        self._write(f"!! {message}\n")

    def teardown_task(self, _task: Any) -> None:
        """No task has a teardown."""

    def complete_run(self) -> None:
        """All is done, or the run was broken off."""
        error = sys.exc_info()[1]
        self._run.interrupted = isinstance(error, KeyboardInterrupt)
        self._run.broken_off |= isinstance(error, Exception)
        for name, count in self._skipped.items():
            if count > _SHOWN and not self._verbose:
                self._write(f"-- {name}: and {count - _SHOWN} more that are up to date\n")
        self._finish()
        for stage in self._run.stages.values():
            self._log.event(
                "stage_finished",
                stage.name,
                "ERROR" if stage.failures else "INFO",
                status=stage.status,
                duration_seconds=stage.duration_seconds,
                built=stage.built,
                up_to_date=stage.up_to_date,
                failed=len(stage.failures),
                counts=stage.counts,
            )
        level = "INFO" if self._run.status == "SUCCESS" else "ERROR"
        self._log.event("run_finished", level=level, status=self._run.status)
        self._write(summary(self._run))

    def _account(self, stage: StageRecord, task: Any, values: Mapping[str, Any]) -> None:
        stage.records += int(values.get(_RECORDS[stage.name], 0))
        stage.output_files += values.get("files", []) if stage.name == "extract" else task.targets

    def _stage(self, task: str) -> StageRecord | None:
        name = _stage_name(task)
        return self._run.stage(name) if name else None

    def _write(self, text: str) -> None:
        try:
            self._output.write(text)
            self._output.flush()
        except BrokenPipeError:
            # Whoever was reading has seen enough. The records still want to be brought home.
            self._output = open(os.devnull, "w")  # noqa: SIM115 # rule: open-for-writing - nowhere


def _stage_name(task: str) -> str | None:
    name = task.partition(":")[0]
    return name if name in RECORDS else None
