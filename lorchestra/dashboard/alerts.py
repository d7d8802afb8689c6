"""What a person should look at, and which of it somebody has acknowledged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.history import anomalies
from lorchestra.history.log import timestamp
from lorchestra.storage import private

_BAD = ("FAILED", "PARTIAL", "KILLED", "INTERRUPTED")
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
    if runs:
        found = anomalies.of_run(runs[-1], [run for run in runs[:-1] if run.get("status") == "SUCCESS"])
        rejects = [anomaly for anomaly in found if anomaly.kind == "rejects"]
        yield from (Alert(f"rejects:{runs[-1]['run_id']}", "rejects", one.text, one.since) for one in rejects)


def of_sources(deliveries: Mapping[str, Sequence[tuple[str, int]]], now: datetime) -> Iterator[Alert]:
    """Sources that have been silent for three times as long as is usual for them."""
    for source, found in sorted(deliveries.items()):
        if silent := anomalies.silence(source, found, now):
            since = datetime.fromisoformat(silent.since)
            yield Alert(f"silent:{source}:{since:%Y%m%dT%H%M%S}", "silent source", silent.text, silent.since)


def of_checks(findings: Iterable[tuple[str, str]], now: datetime) -> Iterator[Alert]:
    """Alerts of checks of the machine: (kind, text)."""
    for kind, text in findings:
        yield Alert(f"check:{kind}", kind, text, timestamp(now))


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
