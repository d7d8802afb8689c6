"""`lorchestra audit`: show the audit log, and verify that nobody changed it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lorchestra.base.errors import Code, Failure, from_os_error, visible
from lorchestra.base.wording import counted
from lorchestra.planning import config as configuration
from lorchestra.storage import audit_check
from lorchestra.storage.audit import Trail

_SHOWN_ELSEWHERE = frozenset({"number", "time", "uid", "login", "command", "key", "previous", "mac"})


def show(path: Path, last: int | None = None) -> list[dict[str, Any]]:
    """The last entries of the audit log, oldest first; all of them by default. Raises Failure(MISSING)."""
    try:
        entries = list(audit_check.entries(_trail(path)))
    except OSError as error:
        raise from_os_error(error) from None
    return entries[-last:] if last else entries


def text(entry: dict[str, Any]) -> str:
    """An entry as one line."""
    rest = " ".join(_pairs({key: value for key, value in entry.items() if key not in _SHOWN_ELSEWHERE}))
    who = entry.get("login") or entry.get("uid")
    return visible(f"{entry['number']:>6}  {entry['time']}  {who:<10}  {entry['command']:<26} {rest}".rstrip())


def _pairs(fields: dict[str, Any]) -> Iterator[str]:
    for key, value in fields.items():
        if isinstance(value, dict):
            yield from _pairs({f"{key}.{name}": inner for name, inner in value.items()})
        elif value not in ([], "", 0):
            yield f"{key}={','.join(value) if isinstance(value, list) else value}"


def verify(path: Path, archived: Sequence[Path] = ()) -> str:
    """A sentence about the intact log. Raises Failure(AUDIT_TAMPERED) that names every entry that is not."""
    try:
        report = audit_check.verify(_trail(path), archived)
    except OSError as error:
        raise from_os_error(error) from None
    if report.findings:
        raise Failure(Code.AUDIT_TAMPERED, "\n".join(map(visible, report.findings)))
    left = f"; {counted(report.incomplete, 'incomplete line')} left by crashes" if report.incomplete else ""
    entries = "1 entry" if report.entries == 1 else f"{report.entries:,} entries"
    return f"{entries} verified, none missing or changed{left}"


def _trail(path: Path) -> Trail:
    trail = Trail(configuration.load(path).work_directory / "audit")
    if not (trail.directory / "logs").is_file():
        raise Failure(Code.MISSING, "there is no audit log yet", advice="The first run creates it.")
    return trail
