"""Every file and directory of a store: whether it belongs there, is private, and holds what the database says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import orjson

from lorchestra.components.projector.database import metadata_db, registry
from lorchestra.components.projector.ingest import rejects_files
from lorchestra.components.projector.objects import inventory, ledger, object_files, tombstone
from lorchestra.components.projector.upkeep.connect import Opened
from lorchestra.components.projector.upkeep.verify.finding import Finding


def check(opened: Opened) -> Iterator[Finding]:
    """Compare what is in the store's directory with the database."""
    store, connection = opened
    query = "SELECT type.name, tombstone.id FROM tombstone JOIN type ON type.no = tombstone.type"
    buried = {(str(kind), bytes(each)) for kind, each in metadata_db.rows(connection, query)}
    kinds = {kind for (kind,) in metadata_db.rows(connection, "SELECT name FROM type")}
    rejects = _rejects_digests(connection)
    for entry in inventory.walk(store):
        yield from (Finding(fault, entry.where) for fault in entry.faults)
        if entry.tombstone:
            yield from _tombstone(store.root / entry.where, entry, buried)
            buried.discard(entry.tombstone)
        elif _is_unknown(entry, connection, kinds, rejects):
            yield Finding("foreign_file", entry.where)
        elif entry.rejects:
            yield from _rejects(store.root / entry.where, entry, rejects.pop(entry.rejects))
    yield from (Finding("missing_tombstone", each.hex().upper()) for _, each in sorted(buried))
    missing = [name for name, digest in rejects.items() if digest not in (None, rejects_files.NONE)]
    yield from (Finding("missing_rejects", f"rejects/{name}") for name in sorted(missing))
    if store.journal.exists():
        yield Finding("leftover_journal", "journal")
    if _is_open(ledger.path(store)):
        yield Finding("not_private", "the ledger of purges next to the store")


def registries(opened: Opened) -> Iterator[Finding]:
    """Compare the registry files with the database."""
    if registry.is_outdated(opened.connection):
        return  # the next writer writes them
    for no, kind in metadata_db.rows(opened.connection, "SELECT no, name FROM type ORDER BY name"):
        expected = registry.describe(opened.connection, no, kind)
        found = _registry(opened.store.registry(kind))
        holds = found.get("holds", "")
        as_expected = {**found, "holds": None} == {**expected, "holds": None}
        if not as_expected or holds not in (None, registry.holds(opened.connection, no)):
            yield Finding("registry_differs", f"registry/{kind}.json")


def _tombstone(path: Path, entry: inventory.Found, buried: set[tuple[str, bytes]]) -> Iterator[Finding]:
    assert entry.tombstone is not None
    if entry.tombstone not in buried:
        yield Finding("unknown_tombstone", entry.where)
    elif object_files.content(path) != tombstone.content(*entry.tombstone):
        yield Finding("tombstone_damaged", entry.where)


def _is_unknown(entry: inventory.Found, connection: apsw.Connection, kinds: set[str], rejects: dict[str, Any]) -> bool:
    """Whether a file is named as an object, a registry or rejects, and no row knows it."""
    if entry.name:
        known = "SELECT 1 FROM object WHERE id = ? AND revision = ?"
        return metadata_db.value(connection, known, (entry.name.id, entry.name.revision)) is None
    if entry.registry:
        return entry.registry not in kinds
    return bool(entry.rejects) and entry.rejects not in rejects


def _rejects_digests(connection: apsw.Connection) -> dict[str, bytes | None]:
    """The digest of each file's rejects; None where it is not known."""
    return dict(connection.execute("SELECT name, rejects FROM file"))


def _rejects(path: Path, entry: inventory.Found, digest: bytes | None) -> Iterator[Finding]:
    """Whether a rejects file has the digest in its file's row, and consists of rejects."""
    content = object_files.content(path)
    if not rejects_files.is_sound(content, entry.rejects):
        yield Finding("rejects_damaged", entry.where)
    elif digest is not None and hashlib.sha256(content).digest() != digest:
        yield Finding("rejects_differ", entry.where)


def _is_open(path: Path) -> bool:
    """Whether other users can reach a file, if it exists."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    return bool(status.st_mode & 0o077) or status.st_uid != os.geteuid()


def _registry(path: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(object_files.content(path))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
