"""The port for the place where canonical records go: the bundled store, or a data warehouse.

A package adds a sink with an entry point in the group `lorchestra.sinks`: a callable that takes the `Config` and
returns a `Sink`. `stages.index.sink` in pipeline.yaml names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from lorchestra.base.errors import Code, Outcome
from lorchestra.history.log import Progress

GROUP = "lorchestra.sinks"


class LoadResult(NamedTuple):
    """How a load ended: the outcome, and after a success the counts of the report (docs/contracts.md)."""

    outcome: Outcome = Outcome()
    counts: Mapping[str, int] = {}

    @property
    def code(self) -> Code | None:
        """None for a success."""
        return self.outcome.code


class Sink(Protocol):
    """Holds the records of the canonical files.

    Each file is loaded completely or not at all. After a load, `registry/{type}.json` below `stages.index.output_dir`
    tells what the sink holds (docs/contracts.md), so that planning can compare it with the canonical files without
    asking the sink.
    """

    def load(self, type_: str, *, prune: bool = False, progress: Progress | None = None) -> LoadResult:
        """Bring the sink up to date with the canonical files of one type. Loading a file again changes nothing.

        `prune` also retires the records of files that no longer exist. It may call `progress` as often as it likes.
        Expected failures are returned, not raised. It does not retry: the stage does. Called by several threads, each
        with a type of its own.
        """
