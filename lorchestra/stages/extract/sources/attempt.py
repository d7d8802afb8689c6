"""What a source type gets for an attempt, and what it returns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base.errors import Code
from lorchestra.planning.config import Source
from lorchestra.process import runner
from lorchestra.process.source_lock import SourceLock
from lorchestra.stages.extract.staging import Published
from lorchestra.stages.extract.streams import Streams

TIME_LIMIT_SECONDS = 6 * 3600
"""The default time limit: without one, a hung tap blocks every later run."""

_PROGRAMS = threading.BoundedSemaphore(8)
"""How many programs of sources run at once in one run. They wait for networks, so this does not depend on cores."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at a source.

    `output` is private and empty; the source writes its files there, `{source}-{date}.jsonl` or `{stream}.jsonl`.
    `raw` is where they will go. `private` is a directory of the source that outlives the run, `scratch` one that does
    not. `date` is the run's. `log` receives the program's output, `lock` is held for the source, `progress` is called
    with the number of records so far.
    """

    source: Source
    output: Path
    raw: Path
    private: Path
    scratch: Path
    date: str
    log: Path
    lock: SourceLock
    progress: Callable[[int], None]
    streams: Streams

    @property
    def settings(self) -> dict[str, Any]:
        """The source's settings."""
        return dict(self.source.settings)

    def run(self, argv: list[str], **options: Any) -> runner.Finished:
        """Run a program under the source's lock, when it is its turn. For `options` see `runner.run`."""
        with _PROGRAMS:
            return runner.run(
                argv,
                log=self.log,
                timeout_seconds=self.settings.get("timeout_seconds", TIME_LIMIT_SECONDS),
                inherit=[self.lock.descriptor],
                on_start=self.lock.started,
                **options,
            )


def _nothing(_published: Published) -> None:
    return


class AttemptResult(NamedTuple):
    """How an attempt ended; `code` is None for a success. `message` and `advice` hold nothing of a record.

    `warning` is something to report that is no failure. `log` is the program's private log. `complete`: no last line
    of a delivered file can be torn, even though the attempt failed. `mixed`: a delivered file holds several streams,
    so all files of the attempt are refused. `confirmed` are raw files that already hold what the source has, so that it
    was not copied; `waiting` counts what was left for the next run. `published` is called after publishing, with what
    was published.
    """

    code: Code | None = None
    message: str = ""
    advice: str = ""
    warning: str = ""
    log: Path | None = None
    complete: bool = False
    mixed: bool = False
    confirmed: tuple[Path, ...] = ()
    waiting: int = 0
    published: Callable[[Published], None] = _nothing


def how_it_ended(program: str, finished: runner.Finished) -> str:
    """One clause about a program's end."""
    if finished.timed_out:
        return f"{program} was stopped at its time limit (timeout_seconds)"
    if finished.status < 0:
        return f"{program} was killed by signal {-finished.status}"
    return f"{program} ended with exit status {finished.status}"
