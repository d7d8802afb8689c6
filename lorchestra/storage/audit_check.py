"""Checks the chain of the audit log: every edited, removed, inserted or reordered entry is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.storage import audit
from lorchestra.storage.audit import Head, Trail


class Report(NamedTuple):
    """How many entries are intact, and what is wrong. `incomplete` lines are what crashes left: no entry is missing."""

    entries: int
    incomplete: int
    findings: tuple[str, ...]


def verify(trail: Trail, archived: Iterable[Path] = ()) -> Report:
    """Check all files of the log, and those that were moved elsewhere. Raises OSError."""
    check = _Check(trail.key)
    # By their first entries, because an attacker can rename files.
    for file in sorted((*archived, *audit.files(trail.logs)), key=lambda file: _first(file, trail.key)):
        for number, line in audit.lines(file):
            check.add(f"{file.name}:{number}", line)
    check.end(audit.read_head(trail))
    return Report(check.entries, check.incomplete, tuple(check.findings))


def entries(trail: Trail) -> Iterator[dict[str, Any]]:
    """The intact entries of the log, oldest first. Raises OSError."""
    key = trail.key
    for file in audit.files(trail.logs):
        yield from filter(None, (audit.unseal(line, key) for _, line in audit.lines(file)))


def _first(file: Path, key: bytes) -> int:
    found = (audit.unseal(line, key) for _, line in audit.lines(file))
    return next((int(entry["number"]) for entry in found if entry), 0)


class _Check:
    """Walks along the chain."""

    def __init__(self, key: bytes) -> None:
        self.entries = self.incomplete = 0
        self.findings: list[str] = []
        self._key = key
        self._last = Head()

    def add(self, place: str, line: bytes) -> None:
        """Check the next line."""
        entry = audit.unseal(line, self._key)
        if entry is None:
            self._add_invalid(place, line)
            return
        number, last = int(entry["number"]), self._last
        if number <= last.number:
            self.findings.append(f"{place}: entry {number} is here a second time or out of order")
            return
        if number > last.number + 1:
            self._miss(last.number + 1, number - 1)
        elif entry["previous"] != last.mac:
            self.findings.append(f"{place}: entry {number} does not continue the entry before it")
        self._last = Head(number, entry["mac"])
        self.entries += 1

    def _add_invalid(self, place: str, line: bytes) -> None:
        if not line.endswith(b'"}'):
            self.incomplete += 1  # if it was an entry, the next one shows that it is missing
        elif f'"key":"{audit.key_id(self._key)}"'.encode() in line:
            self.findings.append(f"{place}: changed after it was written")
        else:
            self.findings.append(f"{place}: not made with the key of this pipeline")

    def end(self, head: Head) -> None:
        """Compare the end of the chain with the last entry that was written."""
        if head.number > self._last.number:
            self._miss(self._last.number + 1, head.number)
        elif head.number == self._last.number and head.mac != self._last.mac:
            self.findings.append(f"entry {head.number} is not the one that was written")
        elif self._last.number > head.number + 1:
            self.findings.append(f"the head is older than entry {self._last.number}: it was replaced or is damaged")

    def _miss(self, first: int, last: int) -> None:
        which = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        self.findings.append(f"{which} missing")
