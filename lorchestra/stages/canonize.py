"""Stage 2: raw files through their transforms into one canonical file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lorchestra.executors.executor import Executor, Job
from lorchestra.history.log import Progress
from lorchestra.process.retry import Policy, retry
from lorchestra.storage import private


def canonize(
    job: Job,
    executor: Executor,
    policy: Policy,
    *,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, int]:
    """Build one canonical file with its rejects and lineage; return its counts.

    Raises Failure after the last attempt; the files of an earlier build are then unchanged.
    """
    for directory in {Path(job[file]).parent for file in ("output", "rejects", "lineage")}:
        private.make_directory(directory)
    result = retry(policy, lambda _number: executor.run(job, progress), sleep=sleep)
    result.outcome.check()
    return dict(result.counts)
