"""From prepared records to objects, rows, full text and holdings, inside a transaction that the caller commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import apsw

from lorchestra.components.projector.config import Config
from lorchestra.components.projector.database import delivery, metadata_db, rows, seals
from lorchestra.components.projector.database.rows import Row
from lorchestra.components.projector.ingest.journal import Journal
from lorchestra.components.projector.objects import envelope, layout, object_files
from lorchestra.components.projector.objects.layout import ObjectName, Store
from lorchestra.components.projector.record.canonical import Source
from lorchestra.components.projector.record.schema import Record

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
_LAST_DAY = date.max.toordinal()


class Version:
    """A revision of an object, stored or about to be. `no` is 0 until its row is numbered."""

    __slots__ = ("fingerprint", "no", "raw", "revision", "state", "volatile")

    def __init__(self, no: int, revision: int, fingerprint: bytes, state: int, volatile: bytes | None) -> None:
        self.no, self.revision, self.fingerprint, self.state = no, revision, fingerprint, state
        self.volatile = volatile
        self.raw: bytes | None = None  # the stored record, while it is not written yet


class _New(NamedTuple):
    version: Version
    source: Source
    record: Record
    day: int


class Item(NamedTuple):
    """A record on its way into the store."""

    source: Source
    record: Record


class Writer:
    """Writes batches of one transaction and keeps account of what they did."""

    def __init__(self, store: Store, connection: apsw.Connection, log: Journal, config: Config) -> None:
        self.counts: Counter[str] = Counter()
        self.touched: set[bytes] = set()  # objects whose current revision may change
        self.wrote = False
        self.tables = rows.Tables(connection, full_text=config.full_text)
        self._store, self._connection, self._journal, self._config = store, connection, log, config
        self._held_before: dict[int, set[int]] = {}
        varied = connection.execute("SELECT DISTINCT object FROM holding WHERE delivered IS NOT NULL")
        self._varied: set[int] = {no for (no,) in varied}  # with several versions of their volatile fields
        self._redelivered: set[int] = set()
        self._sequence: int = metadata_db.get_meta(connection, "sequence", 0)

    def begin(self, source: Source) -> None:
        """Remove the holdings of a file that is read again."""
        file = self.tables.file(source.name)
        if file in self._held_before:
            return
        held = self._connection.execute("SELECT object FROM holding WHERE file = ?", (file,))
        self._held_before[file] = {no for (no,) in held}
        if self._held_before[file]:
            self._connection.execute("DELETE FROM holding WHERE file = ?", (file,))

    def write(self, batch: Sequence[Item]) -> None:
        """Store what is new in a batch, and note which file holds what."""
        known = self._known({item.record.id for item in batch})
        purged = self._purged()
        new: list[_New] = []
        held: list[tuple[int, Version, int, str | None]] = []
        for source, record in batch:
            self.begin(source)
            if record.id in purged:
                self.counts["purged"] += 1
                continue
            version = self._resolve(source, record, known.setdefault(record.id, []), new)
            said = self._delivered(source, record, version)
            held.append((self.tables.file(source.name), version, record.line, said))
        if new:
            self._write_new(new)
        self._hold(held)

    def finish(self) -> None:
        """After the last batch: update what files no longer hold, and the volatile columns of new deliveries."""
        lost = set().union(*self._held_before.values())
        self._redelivered |= lost & self._varied
        for no in sorted(lost):
            self.touched.add(metadata_db.value(self._connection, "SELECT id FROM object WHERE no = ?", (no,)))
        delivery.refresh(self._store, self._connection, self._redelivered)
        seals.seal_holdings(self._connection, self._held_before)
        metadata_db.set_meta(self._connection, "sequence", self._sequence)

    def _known(self, ids: Iterable[bytes]) -> dict[bytes, list[Version]]:
        query = "SELECT no, revision, fingerprint, state, volatile FROM object WHERE id = ? ORDER BY revision"
        if metadata_db.value(self._connection, "SELECT 1 FROM object LIMIT 1") is None:
            return {}
        found = ((identity, metadata_db.rows(self._connection, query, (identity,))) for identity in sorted(ids))
        return {identity: [Version(*revision) for revision in revisions] for identity, revisions in found if revisions}

    def _purged(self) -> set[bytes]:
        return {identity for (identity,) in self._connection.execute("SELECT id FROM tombstone")}

    def _resolve(self, source: Source, record: Record, versions: list[Version], new: list[_New]) -> Version:
        for version in versions:
            if version.fingerprint == record.fingerprint:
                self.counts["duplicates"] += 1
                if len(versions) > 1 or version.state:
                    self.touched.add(record.id)
                return version
        if versions and self._config.policy(source.type) == "skip":
            self.counts["skipped_changes"] += 1
            self.touched.add(record.id)
            return min(versions, key=lambda version: version.state)
        version = Version(0, versions[-1].revision + 1 if versions else 1, record.fingerprint, 0, record.volatile)
        version.raw = record.raw
        if versions:
            self.touched.add(record.id)
        self.counts["revised" if versions else "inserted"] += 1
        versions.append(version)
        new.append(_New(version, source, record, day(source.name, record.time)))
        return version

    def _write_new(self, new: list[_New]) -> None:
        new.sort(key=lambda item: (self.tables.type(item.source.type), item.day, item.record.time or 0))
        for item in new:
            self._sequence += 1
            item.version.no = layout.row_number(self.tables.type(item.source.type), item.day, self._sequence)
        seals = self._write_objects(new)
        for item in new:
            self.tables.add(_row(item, seals[item.version.no]))
        self.tables.flush()
        self.wrote = True

    def _write_objects(self, new: Sequence[_New]) -> dict[int, tuple[bytes, int]]:
        """Write the objects in the order of their directories; return digest and size by row."""
        named = [(_name(item), item) for item in sorted(new, key=lambda item: item.record.id)]
        paths = [layout.object_path(name) for name, _ in named]
        self._journal.intend(paths)
        root, seals = str(self._store.root), {}
        for path, (name, item) in zip(paths, named, strict=True):
            sealed = _seal(name, item)
            object_files.write(root, path, sealed.content)
            seals[item.version.no] = (sealed.sha256, len(sealed.content))
        return seals

    def _delivered(self, source: Source, record: Record, version: Version) -> str | None:
        """What the holding says of volatile fields that differ from those in the object's file."""
        if record.volatile == version.volatile or version.fingerprint != record.fingerprint:
            return None
        stored = version.raw
        if stored is None:
            name = ObjectName(source.type, record.id, version.revision)
            stored = object_files.read(self._store, name).record
        return delivery.described(stored, record.raw, record.reading.rules.volatile)

    def _hold(self, held: list[tuple[int, Version, int, str | None]]) -> None:
        holdings = sorted((file, version.no, line, said) for file, version, line, said in held)
        for file, no, _, said in holdings:
            self._held_before[file].discard(no)
            if said is not None or no in self._varied:
                self._redelivered.add(no)
        insert = "INSERT INTO holding (file, object, line, delivered) VALUES (?, ?, ?, ?)"
        self._connection.executemany(insert, holdings)


def _name(item: _New) -> ObjectName:
    return ObjectName(item.source.type, item.record.id, item.version.revision)


def _seal(name: ObjectName, item: _New) -> envelope.Sealed:
    record, how = item.record, item.record.reading
    return envelope.seal(
        name, how.uri, how.rules_json, item.source.name, record.line, record.fingerprint, record.raw
    )  # fmt: skip


def _row(item: _New, seal: tuple[bytes, int]) -> Row:
    return Row(item.version.no, item.source.type, item.version.revision, item.record, *seal)


def day(file: str, time: int | None) -> int:
    """The day that a record belongs to, as a proleptic ordinal; without a moment, the day of its canonical file."""
    if time is None:
        said = file.removesuffix(".jsonl")[-8:]
        return date(int(said[:4]), int(said[4:6]), int(said[6:])).toordinal()
    return min(max(_EPOCH_DAY + time // _DAY_MS, 1), _LAST_DAY - 1)
