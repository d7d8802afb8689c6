"""`type: meltano`: the real Meltano, one run an extractor."""

from __future__ import annotations

from lorchestra.config import Source
from lorchestra.stages.sources.attempt import Attempt, Outcome


def expand(source: Source) -> tuple[Source, ...]:
    return (source,)


def attempt(task: Attempt) -> Outcome:
    raise NotImplementedError
