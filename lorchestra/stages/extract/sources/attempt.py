"""What a type of source gets and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base.errors import Code
from lorchestra.planning.config import Source
from lorchestra.process import runner
from lorchestra.process.source_lock import SourceLock


@dataclass(frozen=True)
class Attempt:
    """One attempt at a source.

    `output` is private and empty; files named `{source}-{date}.jsonl` are left in it. `raw` is where they will go.
    `private` is a directory of the source's own that outlives the run, `scratch` one that does not. `date` is today's,
    for sources that need one. `log` takes the program's output, `lock` is held for the source, `progress` learns how
    many records came so far.
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

    @property
    def settings(self) -> dict[str, Any]:
        """The source's settings."""
        return dict(self.source.settings)

    def run(self, argv: list[str], **options: Any) -> runner.Finished:
        """Run a program under the source's lock. For `options` see `runner.run`."""
        return runner.run(
            argv,
            log=self.log,
            timeout_seconds=self.settings.get("timeout_seconds"),
            inherit=[self.lock.descriptor],
            on_start=self.lock.started,
            **options,
        )


def _nothing(_names: Collection[str], _whole: bool) -> None:
    return


class Outcome(NamedTuple):
    """How an attempt ended; `code` is None where it went well. `message` may be told to anybody.

    `log` is the program's private log. `confirmed` are raw files that hold already what the source has, so that it was
    not copied; `waiting` counts what was left for the next run. `published` is called when the hand-over is done, with
    the names of the raw files that are safe, and whether nothing is left in staging.
    """

    code: Code | None = None
    message: str = ""
    log: Path | None = None
    confirmed: tuple[Path, ...] = ()
    waiting: int = 0
    published: Callable[[Collection[str], bool], None] = _nothing


def how_it_ended(program: str, finished: runner.Finished) -> str:
    """A program's end in words."""
    if finished.timed_out:
        return f"{program} was ended at its time limit"
    if finished.status < 0:
        return f"{program} was killed by signal {-finished.status}"
    return f"{program} ended with status {finished.status}"
