"""`lorchestra history`: the recorded runs, with durations, counts and what is unusual about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from lorchestra.base.commandline import closest
from lorchestra.base.errors import Code, Failure
from lorchestra.base.wording import local_time
from lorchestra.history import runs
from lorchestra.planning import preflight

_BARS = "▁▂▃▄▅▆▇█"
_COMPARED = 20
"""How many earlier runs a run is compared with."""
_LEAST = 5
"""How many of them there must be."""
_FAR = 4.0
"""How many median absolute deviations from the median are unusual."""


class Run(NamedTuple):
    """One recorded run."""

    run_id: str
    began: str
    status: str
    seconds: float | None
    extracted: int | None
    """Records that were new in this run."""
    rejected: int
    records_in: int
    warnings: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The share of the records of canonize that was rejected."""
        return self.rejected / self.records_in if self.records_in else 0.0


def history(path: Path, run_id: str | None = None, limit: int | None = None) -> list[Run]:
    """The recorded runs, oldest first. Raises Failure(USAGE) if there is no such run."""
    directory = preflight.snapshot(path).config.log_directory
    found = [_run(line) for line in runs.runs(directory) if isinstance(line.get("run_id"), str)]
    found = [run._replace(warnings=tuple(_warnings(run, found[:at]))) for at, run in enumerate(found)]
    if run_id is not None:
        if chosen := [run for run in found if run.run_id == run_id]:
            return chosen
        known = closest(run_id, (run.run_id for run in found))
        raise Failure(Code.USAGE, f"there is no run {run_id}{known}", advice="`lorchestra history` lists them.")
    return found[-limit:] if limit else found


def _run(line: dict[str, Any]) -> Run:
    stages = line.get("stages") or {}
    counts = {name: (stages.get(name) or {}).get("counts") or {} for name in ("extract", "canonize")}
    seconds = None
    if line.get("ended"):
        seconds = (datetime.fromisoformat(line["ended"]) - datetime.fromisoformat(line["began"])).total_seconds()
    return Run(
        line["run_id"],
        line["began"],
        line["status"],
        seconds,
        counts["extract"].get("new_records"),
        counts["canonize"].get("rejected", 0),
        counts["canonize"].get("records_in", 0),
    )


def _warnings(run: Run, earlier: Sequence[Run]) -> list[str]:
    """What is far from the median of earlier successful runs of the same kind."""
    alike = [other for other in reversed(earlier) if other.status == "SUCCESS"]
    found = []
    delivered = [count for other in alike if (count := other.extracted) is not None][:_COMPARED]
    if run.extracted is not None and _is_far_below(run.extracted, delivered):
        found.append(f"{run.extracted:,} new records; usually about {median(delivered):,.0f}")
    shares = [other.share for other in alike if other.records_in][:_COMPARED]
    if run.records_in and len(shares) >= _LEAST and run.share > median(shares) + 0.1:
        found.append(f"{run.share:.0%} of the records were rejected; usually {median(shares):.0%}")
    return found


def _is_far_below(value: int, earlier: Sequence[int]) -> bool:
    """A median and the median deviation from it are not moved by a few extreme runs, as a mean would be.

    Where all runs were alike, a tenth of the median stands for the deviation.
    """
    if len(earlier) < _LEAST:
        return False
    middle = median(earlier)
    deviation = median(abs(count - middle) for count in earlier)
    return value < middle - _FAR * max(deviation, middle / 10)


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
            f"{run.rejected:,}",
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
