"""The port for running canonizer jobs somewhere: on this machine, on a cluster, in a cloud.

A package adds an executor with an entry point in the group `lorchestra.executors`: a callable that takes the `Config`
and returns an `Executor`. `stages.canonize.executor` in pipeline.yaml names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from lorchestra.base.errors import Code, Outcome
from lorchestra.history.log import Progress

GROUP = "lorchestra.executors"
Job = Mapping[str, Any]
"""A job of `can serve` (docs/contracts.md)."""


class JobResult(NamedTuple):
    """How a job ended: the outcome, and after a success the counts of `records.lineage.COUNTS`."""

    outcome: Outcome = Outcome()
    counts: Mapping[str, int] = {}

    @property
    def code(self) -> Code | None:
        """None for a success."""
        return self.outcome.code


class Executor(Protocol):
    """Runs jobs.

    A job is a pure function of its files: it can run anywhere and can be repeated. After a success its three files are
    complete, the lineage written last. After a failure they are as they were before.
    """

    def run(self, job: Job, progress: Progress | None = None) -> JobResult:
        """Run one job and wait for it. Called by many threads at once; the executor decides how many jobs run.

        It may call `progress` as often as it likes.
        Expected failures are returned, not raised. It does not retry: the stage does.
        """

    def close(self, *, abort: bool = False) -> None:
        """Release everything. With `abort`, end the running jobs at once; their `run` then returns any failure."""
