"""Runs jobs on this machine, in a pool of `can serve` programs: one for each job that may run at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lorchestra.base.errors import Code, Failure, Outcome
from lorchestra.executors.executor import Job, JobResult
from lorchestra.history.log import Progress
from lorchestra.process import programs, runner
from lorchestra.process.worker import Worker
from lorchestra.records import lineage
from lorchestra.storage import private

_STOPPED = Outcome(Code.INTERRUPTED, "interrupted")


class LocalExecutor:
    """A pool of at most `size` programs, started when they are needed. See `Executor`."""

    def __init__(
        self, command: Sequence[str], work_directory: Path, size: int, timeout_seconds: float | None = None
    ) -> None:
        """`command` is the canonizer's, without `serve`."""
        self._command = command
        self._work_directory = work_directory
        self._timeout_seconds = timeout_seconds
        self._slots = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False

    def run(self, job: Job, progress: Progress | None = None) -> JobResult:
        """Run a job in a program of the pool."""
        with self._slots:
            try:
                answer = self._call(job, progress)
            except Failure as failure:
                return JobResult(_STOPPED if self._closed else Outcome.of(failure))
        if answer.get("status") != "ok":
            return JobResult(_outcome(answer))
        if not Path(job["output"]).is_file():
            return JobResult(
                Outcome.of(Failure(Code.COMPONENT_FAILED, "the canonizer reported success, wrote no file"))
            )
        return JobResult(counts={name: answer.get(name, 0) for name in lineage.COUNTS})

    def close(self, *, abort: bool = False) -> None:
        """End the programs: after their jobs, or at once."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = tuple(self._busy)
        for worker in busy if abort else ():
            worker.kill()
        for worker in idle:
            worker.stop(0 if abort else 2)

    def _call(self, job: Job, progress: Progress | None) -> dict[str, Any]:
        worker = self._take()
        try:
            return worker.call({**job, "progress": True} if progress else job, self._timeout_seconds, progress)
        finally:
            self._give_back(worker)

    def _take(self) -> Worker:
        with self._lock:
            if self._closed:
                raise Failure(Code.INTERRUPTED, "interrupted")
            # The one that was used last: a job of the same transform is likely, and that is compiled there.
            worker = self._idle.pop() if self._idle else self._start()
            self._busy.add(worker)
            return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
            if worker.alive and not self._closed:
                self._idle.append(worker)
                return
        worker.stop(0)

    def _start(self) -> Worker:
        program = programs.find(self._command[0])
        logs = self._work_directory / "logs"
        private.make_directory(logs)
        return Worker(
            (str(program), *self._command[1:], "serve"),
            cwd=self._work_directory,
            env=runner.environment(),
            log=logs / "canonizer.log",
        )


def _outcome(answer: dict[str, Any]) -> Outcome:
    """The failure in an answer of `can serve`. A code that we do not know counts as a failed program."""
    try:
        code = Code(str(answer.get("code")))
    except ValueError:
        code = Code.COMPONENT_FAILED
    return Outcome(code, str(answer.get("what", "the canonizer refused the job")), str(answer.get("advice", "")))
