"""Stage 1: extract a source and publish its records as raw files.

A source fails alone: what it delivered is published, failures are returned as data, and the other sources continue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from lorchestra.base.errors import Code, Failure
from lorchestra.history.log import Field, Log
from lorchestra.planning.config import Retry, Source
from lorchestra.planning.window import Window
from lorchestra.stages.extract.result import SourceResult
from lorchestra.stages.extract.sources import source_type

# What is imported within functions is not needed to plan a run.


def expand(source: Source) -> tuple[Source, ...]:
    """The sources that an entry of pipeline.yaml stands for. Raises Failure. Starts no program."""
    return source_type.find(source.type).expand(source)


def every(sources: Iterable[Source]) -> tuple[Source, ...]:
    """The sources that all entries stand for. Raises Failure(CONFIG) if two have the same name.

    An entry that cannot be expanded, for example without its Meltano project, remains one source, whose own task fails:
    the others and the later stages go on. `fault` says why.
    """
    found: dict[str, Source] = {}
    for entry in sources:
        for source in (entry,) if fault(entry) else expand(entry):
            if source.name in found:
                raise Failure(Code.CONFIG, f"two entries of the sources stand for {source.name}")
            found[source.name] = source
    return tuple(found.values())


def fault(source: Source) -> Failure | None:
    """Why an entry of pipeline.yaml cannot be expanded; None if it can, or if it is an expanded source."""
    try:
        expand(source)
    except Failure as failure:
        return failure
    return None


def require_window(source: Source, window: Window) -> None:
    """Raises Failure(CONFIG) unless a source can be asked for a time window, or for everything again."""
    kind = source_type.find(source.type)
    if window.start and not kind.has_windows:
        raise Failure(Code.CONFIG, f"source {source.name}: sources of type {source.type} accept no time window")
    if window.start and "window" not in source.settings:
        advice = "Add `window` to the source; docs/extract.md shows templates."
        raise Failure(Code.CONFIG, f"source {source.name} does not say how it takes a time window", advice=advice)
    if window.full_refresh and not kind.has_full_refresh:
        raise Failure(Code.CONFIG, f"source {source.name}: sources of type {source.type} keep no bookmark")


def bookmark(source: Source, work_dir: Path) -> datetime | None:
    """When a source's bookmark last moved; None if it has none yet."""
    return source_type.find(source.type).bookmark(source, work_dir / "sources" / source.name)


def extract(
    source: Source,
    *,
    raw_dir: Path,
    work_dir: Path,
    retry: Retry,
    date: str,
    log: Log,
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[str, int], None] | None = None,
) -> SourceResult:
    """Extract one source, with as many attempts as `retry` allows, and publish what it delivered.

    `raw_dir` and `work_dir` are private and on one file system; `date` is the run's, YYYYMMDD. `progress` is
    called with the source and its records so far, `sleep` with the seconds until the next attempt. Expected failures
    are returned as data. KeyboardInterrupt is raised after the program has ended; the next run publishes what it wrote.
    """
    from lorchestra.stages.extract.run import SourceRun

    result = SourceRun(source, raw_dir, work_dir, retry, date, log, sleep, progress).result()
    level = "INFO" if result.code is None else "WARNING"
    log.event("source_finished", "extract", level, **_fields(result))
    return result


def _fields(result: SourceResult) -> dict[str, Field]:
    return {
        "source": result.source,
        "status": result.status,
        "files": list(result.files),
        "records": result.records,
        "new_records": result.new_records,
        "replaced": result.replaced,
        "discarded": result.discarded,
        "refused": result.refused,
        "attempts": result.attempts,
        "duration_seconds": round(result.duration_seconds, 3),
        "code": str(result.code) if result.code else None,
        "child_log": str(result.child_log) if result.child_log else None,
    }
