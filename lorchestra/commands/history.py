"""`lorchestra history`: the recorded runs, with durations, counts and what is unusual about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base.commandline import closest
from lorchestra.base.errors import Code, Failure, visible
from lorchestra.base.wording import local_time
from lorchestra.history import anomalies, runs, trends
from lorchestra.planning import preflight
from lorchestra.planning.config import Config

_BARS = "▁▂▃▄▅▆▇█"
_BEFORE = 2 * anomalies.COMPARED
"""Among how many runs before it the successful ones are looked for that a run is compared with."""


class Run(NamedTuple):
    """One recorded run."""

    run_id: str
    began: str
    status: str
    seconds: float | None
    extracted: int | None
    """Records that were new in this run, of one source if the history is that of a source."""
    rejected: int | None
    """None in the history of a source: a canonical file can have records of several sources."""
    records_in: int | None
    warnings: tuple[str, ...] = ()


def history(path: Path, run_id: str | None = None, limit: int | None = None, source: str | None = None) -> list[Run]:
    """The recorded runs, oldest first, or those that extracted a source. Raises Failure(USAGE) if there is no such run
    or source.
    """
    config = preflight.snapshot(path).config
    lines = list(runs.runs(config.log_directory))
    if source is not None:
        _require_source(source, {*(name for line in lines for name in anomalies.counts(line)), *_sources(config)})
    chosen = [at for at, line in enumerate(lines) if source is None or source in anomalies.counts(line)]
    if run_id is not None:
        known = closest(run_id, (lines[at]["run_id"] for at in chosen))
        chosen = [at for at in chosen if lines[at]["run_id"] == run_id]
        if not chosen:
            raise Failure(Code.USAGE, f"there is no run {run_id}{known}", advice="`lorchestra history` lists them.")
    return [_run(lines[at], lines[:at], source) for at in (chosen[-limit:] if limit else chosen)]


def _require_source(source: str, known: set[str]) -> None:
    if source not in known:
        message = f"there is no source {visible(source)}{closest(source, known)}"
        raise Failure(Code.USAGE, message, advice="`lorchestra list sources` lists them.")


def _sources(config: Config) -> set[str]:
    return {source.name for source in config.extract.sources}


def _run(line: dict[str, Any], before: Sequence[dict[str, Any]], source: str | None) -> Run:
    unusual = anomalies.of_run(line, [run for run in before[-_BEFORE:] if run["status"] == "SUCCESS"])
    counts = trends.stage(line, "canonize").get("counts") or {}
    seconds = None
    if line.get("ended"):
        seconds = (datetime.fromisoformat(line["ended"]) - datetime.fromisoformat(line["began"])).total_seconds()
    return Run(
        line["run_id"],
        line["began"],
        line["status"],
        seconds,
        anomalies.counts(line)[source] if source else anomalies.new_records(line),
        None if source else counts.get("rejected", 0),
        None if source else counts.get("records_in", 0),
        tuple(one.text for one in unusual if source in (None, one.source)),
    )


def text(found: Sequence[Run]) -> str:
    """A table for people, with a chart of the records that each run extracted, and the warnings."""
    if not found:
        return "no runs yet; start one with `lorchestra run`\n"
    rows = [("run", "began", "status", "seconds", "new", "rejected")]
    rows += [
        (
            run.run_id,
            local_time(run.began),
            run.status,
            "-" if run.seconds is None else f"{run.seconds:.1f}",
            "-" if run.extracted is None else f"{run.extracted:,}",
            "-" if run.rejected is None else f"{run.rejected:,}",
        )
        for run in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if chart := _chart([run.extracted for run in found if run.extracted is not None]):
        lines += ["", f"new records  {chart}"]
    warnings = [f"Warning: {run.run_id}: {warning}" for run in found for warning in run.warnings]
    return "\n".join([*lines, *([""] if warnings else []), *warnings]) + "\n"


def _chart(values: Sequence[int]) -> str:
    highest = max(values, default=0)
    return "".join(_BARS[value * (len(_BARS) - 1) // highest] for value in values) if highest else ""
