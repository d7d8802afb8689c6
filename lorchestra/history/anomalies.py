"""What is unusual about a run: a source far below its usual rate of delivery, silent sources, a jump of the rejected
share.

Everything is compared with medians, which a few extreme runs do not move (see `trends`). The rate of a source is the
number of its new records per hour since the run before, so that a second run of a morning is not expected to deliver a
day's records.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

from lorchestra.history import trends

COMPARED = 60
"""How many earlier runs a run is compared with."""
_FEWEST = 5
"""With fewer earlier runs, or fewer expected or rejected records, nothing is unusual."""
_JUMP = 0.1
_SILENT_FACTOR = 3.0

Deliveries = Sequence[tuple[str, int]]
"""When a source was extracted (ISO 8601), and how many new records it delivered, oldest first."""


class Anomaly(NamedTuple):
    """Something unusual. `source` is None if it concerns the whole run; `since` is when it began."""

    kind: str
    text: str
    source: str | None
    since: str


def of_run(run: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> list[Anomaly]:
    """What is unusual about a run. Runs are lines of runs.jsonl, oldest first."""
    began, earlier = str(run["began"]), earlier[-COMPARED:]
    found = []
    for source, new in counts(run).items():
        before = deliveries(earlier, source)
        silent = None if new else silence(source, before, datetime.fromisoformat(began))
        if silent or (expected := missing(began, new, before)) is None:
            found += [silent] if silent else []
            continue
        text = f"{source}: {new:,} new records; usually about {expected:,.0f}"
        found.append(Anomaly("delivery", text, source, began))
    total = new_records(run)
    if not counts(run) and total is not None:
        before = [(str(one["began"]), count) for one in earlier if (count := new_records(one)) is not None]
        if (expected := missing(began, total, before)) is not None:
            found.append(Anomaly("delivery", f"{total:,} new records; usually about {expected:,.0f}", None, began))
    return [*found, *_rejects(run, earlier)]


def counts(run: Mapping[str, Any]) -> dict[str, int]:
    """How many new records each source delivered in a run. Runs before version 0.2.0 do not say."""
    sources = run.get("sources")
    known = sources.items() if isinstance(sources, dict) else ()
    return {name: new for name, new in known if type(new) is int}


def new_records(run: Mapping[str, Any]) -> int | None:
    """How many new records all sources delivered in a run; None if none was extracted."""
    count = (trends.stage(run, "extract").get("counts") or {}).get("new_records")
    return count if isinstance(count, int) else None


def deliveries(runs: Sequence[Mapping[str, Any]], source: str) -> list[tuple[str, int]]:
    """The deliveries of a source in runs."""
    return [(str(run["began"]), counts(run)[source]) for run in runs if source in counts(run)]


def missing(moment: str, new: int, before: Deliveries) -> float | None:
    """How many records were expected, if a delivery is far below that: less than half, and below the usual band."""
    rates = trends.series("", "", [("", rate) for rate in _rates(before)])
    if rates.low is None:
        return None
    hours = _hours(before[-1][0], moment)
    expected = rates.median * hours
    return expected if expected >= _FEWEST and new < min(rates.low * hours, expected / 2) else None


def usual_per_day(before: Deliveries) -> float | None:
    """The median rate of delivery of a source; None if it was extracted too few times."""
    rates = _rates(before)
    return 24 * median(rates) if len(rates) >= _FEWEST else None


def silence(source: str, before: Deliveries, now: datetime) -> Anomaly | None:
    """Whether a source has delivered nothing for three times as long as is usual for it."""
    moments = [moment for moment, count in before if count]
    gaps = [_hours(a, b) for a, b in itertools.pairwise(moments)]
    if len(gaps) < 3:
        return None
    usual, silent = max(median(gaps), 1.0), _hours(moments[-1], now.isoformat())
    if silent <= _SILENT_FACTOR * usual:
        return None
    text = f"{source} delivered nothing for {duration(silent * 3600)}; every {duration(usual * 3600)} is usual."
    return Anomaly("silence", text, source, moments[-1])


def duration(seconds: float) -> str:
    """A duration as people say it."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:.0f} seconds"


def _rejects(run: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> Iterator[Anomaly]:
    """A share of rejected records far above the median."""
    share = trends.reject_share(run)
    shares = [one for other in earlier if (one := trends.reject_share(other)) is not None]
    rejected = (trends.stage(run, "canonize").get("counts") or {}).get("rejected", 0)
    if share is None or len(shares) < _FEWEST or rejected < _FEWEST or share <= median(shares) + _JUMP:
        return
    text = f"{share:.0%} of the records were rejected; usually {median(shares):.0%}"
    yield Anomaly("rejects", text, None, str(run["began"]))


def _rates(before: Deliveries) -> list[float]:
    """New records per hour since the delivery before."""
    pairs = itertools.pairwise(before)
    return [new / hours for (a, _), (b, new) in pairs if (hours := _hours(a, b)) > 0]


def _hours(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() / 3600
