"""What a person should look at, and which of it somebody has acknowledged."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.dashboard import trends
from lorchestra.history.log import timestamp
from lorchestra.storage import private

_BAD = ("FAILED", "PARTIAL", "KILLED", "INTERRUPTED")
_JUMP = 0.1
_SILENT_FACTOR = 3.0
_LONGEST_NOTE = 500
_LONGEST_FILE = 1 << 20


class Alert(NamedTuple):
    """An alert. `key` identifies it: an acknowledgement counts until something new happens."""

    key: str
    kind: str
    text: str
    since: str


class Acknowledged(NamedTuple):
    """When somebody acknowledged an alert, and what they noted."""

    moment: str
    note: str


def of_runs(runs: Sequence[Mapping[str, Any]]) -> Iterator[Alert]:
    """Runs that did not succeed, newest first, and a jump in the share of rejected records."""
    for run in reversed(runs):
        if run.get("status") in _BAD:
            status = str(run["status"])
            yield Alert(f"run:{run['run_id']}", status.lower(), f"A run ended as {status}.", run["began"])
    shares = [(run, share) for run in runs if (share := trends.reject_share(run)) is not None]
    if len(shares) > 1:
        before = trends.series("", "", [(run["began"], share) for run, share in shares[:-1]]).median
        run, share = shares[-1]
        if share > before + _JUMP:
            text = f"{share:.0%} of the records were rejected; {before:.0%} is usual."
            yield Alert(f"rejects:{run['run_id']}", "rejects", text, run["began"])


def of_sources(deliveries: Mapping[str, Sequence[tuple[str, int]]], now: datetime) -> Iterator[Alert]:
    """Sources that have been silent for three times as long as is usual for them."""
    for source, found in sorted(deliveries.items()):
        moments = [datetime.fromisoformat(moment) for moment, count in found if count]
        gaps = [(str(b), (b - a).total_seconds()) for a, b in itertools.pairwise(moments)]
        if len(gaps) >= 3:
            usual = max(trends.series("", "", gaps).median, 3600.0)
            silent = (now - moments[-1]).total_seconds()
            if silent > _SILENT_FACTOR * usual:
                text = f"{source} delivered nothing for {duration(silent)}; every {duration(usual)} is usual."
                yield Alert(f"silent:{source}:{moments[-1]:%Y%m%dT%H%M%S}", "silent source", text, found[-1][0])


def of_checks(findings: Iterable[tuple[str, str]], now: datetime) -> Iterator[Alert]:
    """Alerts of checks of the machine: (kind, text)."""
    for kind, text in findings:
        yield Alert(f"check:{kind}", kind, text, timestamp(now))


def duration(seconds: float) -> str:
    """A duration as people say it."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:.0f} seconds"


class Notes:
    """The acknowledgements, in a private file of their own: the only thing that the dashboard writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Acknowledged]:
        """By the key of the alert. A damaged file counts as empty."""
        try:
            with self._path.open("rb") as file:
                document = json.loads(file.read(_LONGEST_FILE))
            return {str(key): Acknowledged(str(value[0]), str(value[1])) for key, value in document.items()}
        except (OSError, ValueError, AttributeError, LookupError, TypeError):
            return {}

    def add(self, key: str, text: str) -> None:
        """Acknowledge an alert. A note longer than 500 characters is cut."""
        known = {name: list(value) for name, value in self.read().items()}
        known[key] = [timestamp(datetime.now(UTC)), text[:_LONGEST_NOTE]]
        private.write(self._path, json.dumps(known).encode("ascii"))
