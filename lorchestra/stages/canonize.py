"""Stage 2: raw extracts through their transforms into one canonical file.

The canonizer is kept alive from job to job (`can serve`, docs/contracts.md), one in each of our own processes. A filter
can stand in for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base.errors import Code, Failure, Outcome
from lorchestra.executors import filter
from lorchestra.planning.config import Retry
from lorchestra.process import programs, worker
from lorchestra.process.retry import retry
from lorchestra.process.runner import environment
from lorchestra.storage import private

COUNTS = ("records_in", "records_out", "rejected", "dropped")


class Canonizer(NamedTuple):
    """How the stage's program is started. Picklable: it travels to doit's worker processes."""

    command: tuple[str, ...]
    work_directory: Path
    retry: Retry
    timeout_seconds: float | None


class Attempt(NamedTuple):
    """How an attempt ended: its counts, and its outcome."""

    counts: Mapping[str, int] = {}
    outcome: Outcome = Outcome()

    @property
    def code(self) -> Code | None:
        """None for a success."""
        return self.outcome.code


def canonize(job: Mapping[str, Any], how: Canonizer, *, sleep: Callable[[float], None] = time.sleep) -> dict[str, int]:
    """Make one canonical file; return its counts.

    `job` is that of `can serve`. Raises Failure; the files that were there before are then untouched.
    """
    for directory in {Path(job[key]).parent for key in ("output", "rejects", "lineage")}:
        private.make_directory(directory)
    attempt = retry(how.retry, lambda _number: _attempt_job(job, how), sleep=sleep)
    attempt.outcome.check()
    return dict(attempt.counts)


def _attempt_job(job: Mapping[str, Any], how: Canonizer) -> Attempt:
    try:
        if filter.is_filter(how.command):
            return Attempt(filter.canonize(job, how.command, how.work_directory, how.timeout_seconds))
        answer = _worker(how).call(job, how.timeout_seconds)
    except Failure as failure:
        return Attempt(outcome=Outcome.of(failure))
    if answer.get("status") != "ok":
        message = str(answer.get("what", "the canonizer refused the job"))
        return Attempt(outcome=Outcome(_code(answer.get("code")), message, str(answer.get("advice", ""))))
    if not Path(job["output"]).is_file():
        return Attempt(outcome=Outcome(Code.COMPONENT_FAILED, "the canonizer reported success but wrote no file"))
    return Attempt({name: int(answer.get(name, 0)) for name in COUNTS})


def _code(name: object) -> Code:
    try:
        return Code(str(name))
    except ValueError:
        return Code.COMPONENT_FAILED


def _worker(how: Canonizer) -> worker.Worker:
    program = programs.find(how.command[0])
    logs = how.work_directory / "logs"
    private.make_directory(logs)
    return worker.shared(
        (str(program), *how.command[1:], "serve"),
        cwd=how.work_directory,
        env=environment(),
        log=logs / "canonizer.log",
    )
