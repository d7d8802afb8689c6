"""Copying a store to another directory, which is then a store itself: `verify`, `search` and `restore` work on it.

The copy shows one state of the database, that of the moment when it began, whatever others write meanwhile. Objects
never change, so only those that the copy lacks are copied. In this order: objects, tombstones and rejects; one
`syncfs`; the database; removal of what is no longer in it. An interrupted copy is completed by the next one.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter

import apsw

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.database import lookup, metadata_db, registry
from lorchestra.components.projector.ingest import rejects_files
from lorchestra.components.projector.objects import envelope, ledger, object_files, scan, tombstone
from lorchestra.components.projector.objects.layout import ObjectName, Store, object_path
from lorchestra.components.projector.upkeep import connect
from lorchestra.components.projector.upkeep.verify import verify
from lorchestra.storage import private


def copy(source: Store, target: Store) -> Counter[str]:
    """Bring `target` to the state of `source`; return how many objects were `copied`, `kept` and `removed`.

    Raises Failure: BUSY if an object was purged meanwhile or another copy runs, STORE_DAMAGED if an object of the
    source is damaged or the finished copy does not pass `verify`, NO_SPACE.
    """
    for directory in (target.objects, target.registry("x").parent, target.rejects("x").parent):
        private.make_directory(directory)
    connect.check(target)
    held = private.lock(target.lock)
    try:
        with connect.for_reading(source) as opened:
            opened.connection.execute("BEGIN")  # the first read pins the state
            counts = _copy(opened, target)
    finally:
        private.unlock(held)
    with connect.for_writing(target) as opened:
        findings = sum(1 for _ in verify(opened))
    if findings:
        raise Failure(
            Code.STORE_DAMAGED, f"{target.root}: the copy has {findings} faults", advice="See: verify --store"
        )
    return counts


def _copy(opened: connect.Opened, target: Store) -> Counter[str]:
    source, connection = opened
    counts: Counter[str] = Counter()
    names: set[ObjectName] = set()
    for row in connection.execute(lookup.SELECT):
        found = lookup.found(row)
        names.add(found.name)
        counts["copied" if _copy_object(source, target, found) else "kept"] += 1
    buried = "SELECT type.name, tombstone.id FROM tombstone JOIN type ON type.no = tombstone.type"
    tombstones = {(str(kind), bytes(each)) for kind, each in connection.execute(buried)}
    for kind, each in tombstones:
        tombstone.write(target, kind, each)
    ledger.add(target, {*tombstones, *ledger.read(source)})
    _copy_rejects(opened, target)
    object_files.sync(target)
    _copy_database(connection, target)
    for entry in list(scan.walk(target)):
        if entry.name not in names and entry.tombstone not in tombstones:
            entry.path.unlink()
            counts["removed"] += 1
    return counts


def _copy_object(source: Store, target: Store, found: lookup.Found) -> bool:
    """Copy an object unless the target has it."""
    if target.object(found.name).exists():
        return False
    try:
        content = object_files.content(source.object(found.name))
    except FileNotFoundError:
        raise _changed(source) from None
    sealed = envelope.unseal(content)
    if sealed is None or sealed.sha256 != found.sha256:
        raise Failure(Code.STORE_DAMAGED, f"{source.root}: an object is damaged", advice="Run: vector-projector verify")
    object_files.write(str(target.root), object_path(found.name), content)
    return True


def _copy_rejects(opened: connect.Opened, target: Store) -> None:
    """Copy the rejects files that the database knows, and remove the others from the target."""
    known = dict(opened.connection.execute("SELECT name, rejects FROM file"))
    for path in target.rejects("x").parent.glob("*.jsonl"):
        path.unlink()
    for path in opened.store.rejects("x").parent.glob("*.jsonl"):
        content = object_files.content(path)
        if known.get(path.name, rejects_files.NONE) not in (None, hashlib.sha256(content).digest()):
            raise _changed(opened.store)
        private.write(target.rejects(path.name), content, durable=False)


def _copy_database(connection: apsw.Connection, target: Store) -> None:
    new = target.root / "metadata.db.new"
    new.unlink(missing_ok=True)
    private.create(new).close()
    copied = apsw.Connection(str(new), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with metadata_db.guarded(target, copied):
            with copied.backup("main", connection, "main") as pages:
                pages.step(-1)
            copied.pragma("journal_mode", "delete")
            registry.outdate(copied)  # the registry files of the target are written from its database
    finally:
        copied.close()
    for suffix in ("-wal", "-shm"):
        target.database.with_name(target.database.name + suffix).unlink(missing_ok=True)
    object_files.sync(target)
    os.replace(new, target.database)
    private.sync_directory(target.root)


def _changed(source: Store) -> Failure:
    return Failure(Code.BUSY, f"{source.root}: records were purged while it was copied", advice="Run it again.")
