"""Rebuilding metadata.db from the objects, in a new file that then replaces the old one.

Two passes: the first verifies every object's checksum, moves broken and foreign files to quarantine, and lists
the objects in the order of their rows; the second reads each object again and writes its rows. Which files hold an
object now is only known as of when it was written, so the next pull reads every canonical file again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import apsw
import orjson

from lorchestra.base.errors import Failure
from lorchestra.components.projector.config import Config
from lorchestra.components.projector.database import delivery, metadata_db, registry
from lorchestra.components.projector.database.current import update_states
from lorchestra.components.projector.database.rows import Row, Tables
from lorchestra.components.projector.ingest import rejects_files, writer
from lorchestra.components.projector.objects import (
    envelope,
    identity,
    inventory,
    layout,
    ledger,
    object_files,
    scan,
    tombstone,
)
from lorchestra.components.projector.objects.envelope import Envelope
from lorchestra.components.projector.objects.layout import ObjectName, Store
from lorchestra.components.projector.record import canonical, schema
from lorchestra.components.projector.record.schema import MOST_COLUMNS, RecordSchema
from lorchestra.components.projector.record.validators import Validators
from lorchestra.records import iglu, names
from lorchestra.storage import private

_CHUNK = 5_000
_SURVEY = """CREATE TEMP TABLE survey (
    type TEXT, day INTEGER, time INTEGER, id BLOB, revision INTEGER, PRIMARY KEY (type, day, time, id, revision)
) STRICT, WITHOUT ROWID"""


class Repair:
    """One rebuilding. The caller holds the lock, and no database is open."""

    def __init__(self, store: Store, config: Config) -> None:
        self.counts: Counter[str] = Counter()
        self._store = store
        self._schemas = Validators(iglu.SchemaRegistry(config.schemas))
        self._full_text = config.full_text
        self._properties: dict[tuple[str, str], dict[str, None]] = {}
        self._readings: dict[tuple[str, str], RecordSchema] = {}
        self._tombstones: list[tuple[str, bytes]] = []
        self._intended = _intended(store)

    def run(self) -> apsw.Connection:
        """Rebuild the database, put it in the old one's place, and return it open for writing."""
        metadata_db.refuse_newer_file(self._store)
        new = self._store.root / "metadata.db.new"
        new.unlink(missing_ok=True)  # a killed repair's
        self._tidy()
        try:
            with metadata_db.guarded(self._store, None):
                connection = metadata_db.create_new(new)
                try:
                    connection.execute("BEGIN")
                    connection.execute(_SURVEY)
                    self._survey(connection)
                    self._fill(connection)
                    registry.outdate(connection)  # interrupted before they are written, the next writer writes them
                    connection.execute("COMMIT")
                finally:
                    connection.close()
            self._replace(new)
        finally:
            new.unlink(missing_ok=True)
        return metadata_db.open_writer(self._store)

    def _survey(self, connection: apsw.Connection) -> None:
        """First pass: check, set aside, take note."""
        buried = self._collect_tombstones()
        misplaced: list[tuple[Path, Envelope]] = []
        for entry in scan.walk(self._store):
            if entry.tombstone:
                if buried[entry.tombstone[1]] != entry.tombstone[0]:
                    self._set_aside(entry.path)
                continue
            found = envelope.unseal(object_files.content(entry.path)) if entry.name else None
            if found is not None and found.name != entry.name and self._fits(found):
                misplaced.append((entry.path, found))
            elif entry.name is None or found is None or not self._fits(found):
                self._set_aside(entry.path)
            elif entry.name.id in buried:  # a purge that was killed
                entry.path.unlink()
                self.counts["purged"] += 1
            else:
                self._note(connection, found)
        self._rename(connection, misplaced, buried)

    def _collect_tombstones(self) -> dict[bytes, str]:
        """The types of all purged objects by id. Where sources disagree about the type, the ledger is right."""
        sources = (metadata_db.tombstones(self._store), scan.tombstones(self._store), ledger.read(self._store))
        buried = {each: kind for source in sources for kind, each in source}
        self._tombstones = sorted((kind, each) for each, kind in buried.items())
        for kind, each in self._tombstones:
            tombstone.write(self._store, kind, each)
        ledger.add(self._store, self._tombstones)
        return buried

    def _tidy(self) -> None:
        """Set aside links and whatever else does not belong into the store; take rights from other users.

        A hard link is replaced by a copy of its own, because somebody else may write to the other name.
        """
        for entry in list(inventory.walk(self._store)):
            if {"link", "special_file", "foreign_file", "foreign_directory"} & set(entry.faults):
                self._set_aside(self._store.root / entry.where)
        for entry in list(inventory.walk(self._store)):
            path = self._store.root / entry.where
            if "not_private" in entry.faults:
                path.chmod(0o700 if path.is_dir() else 0o600)
                self.counts["modes"] += 1
            if "hard_link" in entry.faults:
                private.write(path, path.read_bytes())
        ledger.make_private(self._store)

    def _rename(
        self, connection: apsw.Connection, misplaced: list[tuple[Path, Envelope]], buried: Collection[bytes]
    ) -> None:
        """Give intact objects with another's name their own, as their envelopes say; set aside duplicates."""
        moved = [(path.with_name(f".{path.name}.moved{private.TEMPORARY}"), found) for path, found in misplaced]
        for (path, _), (aside, _) in zip(misplaced, moved, strict=True):
            os.rename(path, aside)
        for aside, found in moved:
            target = self._store.object(found.name)
            if found.name.id in buried:
                aside.unlink()
                continue
            if target.exists():
                self._set_aside(aside)
                continue
            private.make_directory(target.parent)
            os.rename(aside, target)
            self.counts["renamed"] += 1
            self._note(connection, found)

    def _note(self, connection: apsw.Connection, found: Envelope) -> None:
        record, rules = found.parsed(), schema.rules_from(found.rules)
        time = schema.moment(record, rules)
        day = writer.day(found.file, time)
        values = (found.name.type, day, time or 0, found.name.id, found.name.revision)
        connection.execute("INSERT INTO survey VALUES (?, ?, ?, ?, ?)", values)
        known = self._properties.setdefault((found.schema, rules.as_json()), {})
        if len(known) < MOST_COLUMNS:
            known.update(dict.fromkeys(record))
        self.counts["objects"] += 1

    def _fits(self, found: Envelope) -> bool:
        """Whether an envelope is one that a pull could have written; its seal proves only that it was not changed."""
        try:
            record = found.parsed()
        except orjson.JSONDecodeError:
            return False
        rules = schema.rules_from(found.rules)
        content = identity.fingerprint(record, {*rules.volatile, "schema"})
        expected = identity.object_id(found.name.type, record, rules.key, content), content
        names_fit = names.parse_delivery(found.file) is not None and iglu.parse(found.schema) is not None
        return names_fit and expected == (found.name.id, found.fingerprint)

    def _set_aside(self, path: Path) -> None:
        """Out of the objects; what a killed pull had only begun to write is removed."""
        self.counts["set_aside"] += 1
        if str(path.relative_to(self._store.root)) in self._intended:
            path.unlink()
            return
        private.make_directory(self._store.quarantine)
        target = self._store.quarantine / path.name
        number = 1
        while target.exists():
            number += 1
            target = target.with_name(f"{path.name}~{number}")
        os.rename(path, target)
        private.sync_directory(self._store.quarantine)

    def _fill(self, connection: apsw.Connection) -> None:
        """Second pass: write the rows in their order."""
        tables = Tables(connection, full_text=self._full_text)
        holdings: list[tuple[int, int, int]] = []
        retired = metadata_db.retired(self._store)
        sequence = 0
        for sequence, (kind, day, each, revision) in enumerate(_surveyed(connection), 1):
            found = object_files.read(self._store, ObjectName(kind, each, revision))
            no = layout.row_number(tables.type(kind), day, sequence)
            tables.add(self._row(no, found))
            file = tables.file(found.file)
            if each not in retired:
                holdings.append((file, no, found.line))
            if sequence % _CHUNK == 0:
                tables.flush()
        tables.flush()
        for path in sorted(self._store.rejects("x").parent.glob("*.jsonl")):
            if rejects_files.is_sound(object_files.content(path), path.name):
                tables.file(path.name)  # so that its rejects are known to belong to a file
            else:
                self._set_aside(path)
        connection.executemany("INSERT INTO holding (file, object, line) VALUES (?, ?, ?)", sorted(holdings))
        varied = self._keep_batches(connection, tables, retired)
        tables.save_unread_files()
        delivery.refresh(self._store, connection, varied)
        tombstones = [(each, tables.type(kind)) for kind, each in self._tombstones]
        connection.executemany("INSERT INTO tombstone (id, type) VALUES (?, ?)", tombstones)
        for path in sorted(self._store.registry("x").parent.glob("*.json")):
            if path.stem not in tables.types():
                self._set_aside(path)
        metadata_db.set_meta(connection, "sequence", sequence)
        undecided = """SELECT id FROM object GROUP BY id
            HAVING count(*) > 1 OR max(no) NOT IN (SELECT object FROM holding)"""
        update_states(connection, [identity for (identity,) in metadata_db.rows(connection, undecided)])

    def _keep_batches(self, connection: apsw.Connection, tables: Tables, retired: Collection[bytes]) -> set[int]:
        """Keep what the old database knows about batches; return the objects that were delivered several times."""
        varied: set[int] = set()
        for row in metadata_db.batch_holdings(self._store):
            find = "SELECT no FROM object WHERE id = ? AND revision = ?"
            no = metadata_db.value(connection, find, (row.id, row.revision))
            if no is not None and row.id not in retired:
                insert = "INSERT OR REPLACE INTO holding (file, object, line, delivered) VALUES (?, ?, ?, ?)"
                connection.execute(insert, (tables.file(row.batch), no, row.line, row.delivered))
                varied.update([no] if row.delivered is not None else [])
        return varied

    def _row(self, no: int, found: Envelope) -> Row:
        how = self._reading(found)
        record = canonical.prepare(found.name.type, found.line, found.record, found.parsed(), how)
        size = self._store.object(found.name).stat().st_size
        return Row(no, found.name.type, found.name.revision, record, found.sha256, size)

    def _reading(self, found: Envelope) -> RecordSchema:
        """The reading under which an object was written; its properties from its schema, else from the records."""
        rules = schema.rules_from(found.rules)
        key = (found.schema, rules.as_json())
        if key not in self._readings:
            try:
                judge = self._schemas.get(found.schema)
                properties, rules = judge.properties, rules._replace(fields=judge.rules.fields)
            except Failure:
                properties = tuple(self._properties[key])
            self._readings[key] = RecordSchema(found.schema, rules, properties)
        return self._readings[key]

    def _replace(self, new: Path) -> None:
        for suffix in ("-wal", "-shm"):
            self._store.database.with_name(self._store.database.name + suffix).unlink(missing_ok=True)
        object_files.sync(self._store)
        os.replace(new, self._store.database)
        private.sync_directory(self._store.root)
        self._store.journal.unlink(missing_ok=True)


def _surveyed(connection: apsw.Connection) -> Iterator[tuple[str, int, bytes, int]]:
    query = "SELECT type, day, id, revision FROM survey ORDER BY type, day, time, id, revision"
    for kind, day, each, revision in connection.execute(query):
        yield str(kind), int(day), bytes(each), int(revision)


def _intended(store: Store) -> set[str]:
    try:
        return set(store.journal.read_bytes().decode("ascii", "replace").split("\n"))
    except FileNotFoundError:
        return set()
