"""Stage 3: the canonical files of a type into the sink, each completely or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable

from lorchestra.history.log import Progress
from lorchestra.process.retry import Policy, retry
from lorchestra.sinks.sink import Sink


def index(
    type_: str,
    sink: Sink,
    policy: Policy,
    *,
    prune: bool = False,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, int]:
    """Bring the sink up to date with one type; return the counts of its report.

    `prune` also retires the records of files that no longer exist. Raises Failure after the last attempt.
    """
    result = retry(policy, lambda _number: sink.load(type_, prune=prune, progress=progress), sleep=sleep)
    result.outcome.check()
    return dict(result.counts)
