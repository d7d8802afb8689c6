"""Series of numbers over runs, with a robust band: median plus or minus three scaled median absolute deviations.

The scaled median absolute deviation (1.4826 times the median distance from the median) estimates the standard deviation
of a normal distribution and is not moved by single outliers (Rousseeuw and Croux, 1993).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lorchestra.history.stages import STAGES

_SCALE = 1.4826
_WIDTH = 3.0
_FEWEST = 5
"""With fewer values, a band would say nothing."""


class Point(NamedTuple):
    """A value, when it was taken, and whether it lies outside the band."""

    moment: str
    value: float
    outside: bool


class Series(NamedTuple):
    """Values over time, oldest first; `low` and `high` bound the band, None if there are too few values."""

    title: str
    unit: str
    points: tuple[Point, ...]
    median: float
    low: float | None
    high: float | None

    @property
    def outside(self) -> list[Point]:
        """The values outside the band."""
        return [point for point in self.points if point.outside]


def series(title: str, unit: str, values: Sequence[tuple[str, float]]) -> Series:
    """A series with its band. `values` are (moment, value), oldest first."""
    numbers = [value for _, value in values]
    median = statistics.median(numbers) if numbers else 0.0
    low = high = None
    if len(numbers) >= _FEWEST:
        deviation = _SCALE * statistics.median(abs(value - median) for value in numbers)
        margin = _WIDTH * max(deviation, 0.05 * abs(median))  # equal values would make every other one an outlier
        low, high = max(0.0, median - margin), median + margin
    points = tuple(
        Point(moment, value, low is not None and high is not None and not low <= value <= high)
        for moment, value in values
    )
    return Series(title, unit, points, median, low, high)


def of_runs(runs: Sequence[Mapping[str, Any]]) -> list[Series]:
    """For each stage: records in, records out, rejected records, and seconds. Runs in which a stage did nothing are
    left out, so that mornings without news do not hide a change.
    """
    found = []
    for name, kind in STAGES.items():
        done = [(run["began"], state) for run in runs if (state := stage(run, name)).get("built")]
        counts = [(moment, state.get("counts") or {}, state.get("duration_seconds", 0)) for moment, state in done]
        read = [(moment, float(count.get(kind.records_in, 0))) for moment, count, _ in counts]
        written = [(m, float(sum(count.get(key, 0) for key in kind.records_out))) for m, count, _ in counts]
        rejected = [(moment, float(count.get("rejected", 0))) for moment, count, _ in counts]
        found += [series(f"{name}: records in", "records", read), series(f"{name}: records out", "records", written)]
        if name != "extract":
            found.append(series(f"{name}: rejected", "records", rejected))
        found.append(series(f"{name}: duration", "seconds", [(moment, float(took)) for moment, _, took in counts]))
    return [one for one in found if one.points]


def reject_share(run: Mapping[str, Any]) -> float | None:
    """Which part of the records canonize rejected in a run; None if it read none."""
    counts = stage(run, "canonize").get("counts") or {}
    return counts.get("rejected", 0) / counts["records_in"] if counts.get("records_in") else None


def stage(run: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What a line of runs.jsonl says about a stage; empty if it did not run."""
    stages = run.get("stages")
    state = stages.get(name) if isinstance(stages, dict) else None
    return state if isinstance(state, dict) else {}
