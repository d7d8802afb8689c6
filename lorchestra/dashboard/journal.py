"""Reads what runs have written: runs.jsonl and the event logs. Only what was appended since the last look is read."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lorchestra.dashboard.run_view import Event, RunView
from lorchestra.history import running

_CHUNK = 1 << 20
_DELIVERIES_DAYS = 60
_MOST_DELIVERIES = 400
"""For each source: more would not be visible in a chart."""


class Journal:
    """The runs of one pipeline. One thread may use it."""

    def __init__(self, logs: Path, work: Path) -> None:
        """`logs` contains the event logs and runs.jsonl, `work` the note about the run in progress."""
        self._logs, self._work = logs, work
        self._begins = array("Q")
        self._indexed = 0
        self._read: dict[Path, int] = {}
        self._live: RunView | None = None
        self._delivered: dict[str, list[tuple[str, int]]] = {}
        self._scanned: dict[Path, int] = {}

    def count(self) -> int:
        """How many runs are recorded."""
        self._index()
        return len(self._begins)

    def runs(self, first: int, count: int) -> list[dict[str, Any]]:
        """Recorded runs from number `first` (0 is the oldest), with their number as `number`."""
        self._index()
        found = []
        wanted = self._begins[max(0, first) : max(0, first + count)]
        if not wanted:
            return []
        with (self._logs / "runs.jsonl").open("rb") as file:
            for number, begin in enumerate(wanted, max(0, first)):
                file.seek(begin)
                run = _document(file.readline())
                if run and isinstance(run.get("run_id"), str) and isinstance(run.get("began"), str):
                    found.append(run | {"number": number})
        return found

    def last(self, count: int) -> list[dict[str, Any]]:
        """The last recorded runs, oldest first."""
        return self.runs(self.count() - count, count)

    def events(self, run: dict[str, Any]) -> Iterator[Event]:
        """The events of a recorded run, in order."""
        marker = json.dumps(run["run_id"]).encode()
        for path in self._files(run["began"], run.get("ended") or run["began"]):
            with path.open("rb") as file:
                for line in file:
                    event = _document(line) if marker in line else None
                    if event and event.get("run_id") == run["run_id"]:
                        yield event

    def live(self) -> RunView | None:
        """The run in progress, or the one that was killed and is not recorded yet; None if there is none."""
        note = running.note(self._work)
        if note is None:
            self._live = None
            return None
        if self._live is None or self._live.run_id != note["run_id"]:
            self._live, self._read = RunView(note["run_id"], note["began"]), {}
        marker = json.dumps(note["run_id"]).encode()
        for path in self._files(note["began"], None):
            for line in _appended(path, self._read):
                if marker in line and (event := _document(line)):
                    self._live.add(event)
        if self._live.is_silent():
            # Without a heartbeat, the lock shows whether the run is alive. Taking it more often could disturb a run.
            self._live.killed = (running.unfinished(self._work) or {}).get("status") == running.KILLED
        return self._live

    def deliveries(self) -> dict[str, list[tuple[str, int]]]:
        """For each source, when it delivered and how many new records, oldest first, of the last 60 days."""
        oldest = f"pipeline-{datetime.now().astimezone() - timedelta(_DELIVERIES_DAYS):%Y%m%d}.log"
        for path in sorted(self._logs.glob("pipeline-*.log")):
            if path.name >= oldest:
                for line in _appended(path, self._scanned):
                    if b'"event": "source_finished"' in line and (event := _document(line)):
                        self._note_delivery(event)
        return self._delivered

    def _note_delivery(self, event: Event) -> None:
        metadata = event.get("metadata", {})
        if isinstance(source := metadata.get("source"), str) and isinstance(count := metadata.get("new_records"), int):
            known = self._delivered.setdefault(source, [])
            known.append((str(event.get("timestamp")), count))
            del known[:-_MOST_DELIVERIES]

    def _files(self, began: str, ended: str | None) -> list[Path]:
        """The event logs of the local days from one moment to another."""
        first = f"pipeline-{_local_day(began)}.log"
        last = f"pipeline-{_local_day(ended)}.log" if ended else "pipeline-99999999.log"
        return [path for path in sorted(self._logs.glob("pipeline-*.log")) if first <= path.name <= last]

    def _index(self) -> None:
        """Note where the lines of runs.jsonl begin. A last line without an end is left for the next look."""
        path = self._logs / "runs.jsonl"
        try:
            if path.stat().st_size < self._indexed:  # somebody replaced it
                self._indexed, self._begins = 0, array("Q")
            with path.open("rb") as file:
                file.seek(self._indexed)
                while chunk := file.read(_CHUNK):
                    whole = chunk.rpartition(b"\n")[0]
                    if not whole and b"\n" not in chunk:
                        break
                    for line in whole.split(b"\n"):
                        self._begins.append(self._indexed)
                        self._indexed += len(line) + 1
                    file.seek(self._indexed)
        except FileNotFoundError:
            return


def _appended(path: Path, offsets: dict[Path, int]) -> Iterator[bytes]:
    """The complete lines that a file gained since the last call."""
    if path.stat().st_size <= offsets.get(path, 0):  # as almost all are, at each look
        return
    with path.open("rb") as file:
        file.seek(offsets.get(path, 0))
        for line in file:
            if not line.endswith(b"\n"):
                return
            offsets[path] = offsets.get(path, 0) + len(line)
            yield line


def _document(line: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _local_day(timestamp: str) -> str:
    try:
        return f"{datetime.fromisoformat(timestamp).astimezone():%Y%m%d}"
    except ValueError:
        return "00000000"
