"""What the database knows about canonical files: which were pulled, how they looked, under which settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import apsw
import orjson

from lorchestra.base.errors import Failure
from lorchestra.components.projector.config import Config
from lorchestra.components.projector.database import delivery, metadata_db, seals
from lorchestra.components.projector.database.current import update_states
from lorchestra.components.projector.database.rows import INSERT_FILE, Tables
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.record.canonical import Signature, Source
from lorchestra.components.projector.record.validators import Validators

_UNKNOWN = (None, 0, "", b"")


def settings(config: Config, kind: str, schemas: Iterable[str], validators: Validators) -> str:
    """What decides, besides its bytes, what is stored of a file: policy, full text, its schemas and their digests."""
    said = {
        "on_change": config.policy(kind),
        "full_text": config.full_text,
        "schemas": {uri: validators.get(uri).sha256 for uri in sorted(schemas)},
    }
    return orjson.dumps(said).decode()


class Known:
    """The files that were pulled before."""

    def __init__(self, connection: apsw.Connection, validators: Validators, config: Config) -> None:
        rows = connection.execute("SELECT name, size, mtime_ns, ctime_ns, inode, missing, settings, sha256 FROM file")
        self._files = {name: (Signature(*row[:4]), *row[4:]) for name, *row in rows}
        self._judges = validators
        self._config = config
        self._current: dict[tuple[str, str], bool] = {}

    def is_unchanged(self, source: Source) -> bool:
        """Whether the store holds this very file already. Does not read its content."""
        signature, missing, said, _ = self._files.get(source.name, _UNKNOWN)
        return signature == source.signature and not missing and self._are_current(source.type, said)

    def is_same(self, source: Source, digest: bytes) -> bool:
        """Whether a file that was touched still has the content that the store holds."""
        _, _, said, known = self._files.get(source.name, _UNKNOWN)
        return digest == known and self._are_current(source.type, said)

    def _are_current(self, kind: str, said: str) -> bool:
        """Whether settings under which a file was pulled are still those of today."""
        key = (kind, said)
        if key not in self._current:
            self._current[key] = self._same(kind, said)
        return self._current[key]

    def _same(self, kind: str, said: str) -> bool:
        try:
            return settings(self._config, kind, orjson.loads(said)["schemas"], self._judges) == said
        except (Failure, ValueError, KeyError):  # a schema went, or `repair` wrote the row: read the file again
            return False


def touch(connection: apsw.Connection, source: Source) -> None:
    """Remember how a file with known content looks now."""
    update = "UPDATE file SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, missing = 0 WHERE name = ?"
    connection.execute(update, (*source.signature, source.name))
    seals.seal(connection, metadata_db.value(connection, "SELECT no FROM file WHERE name = ?", (source.name,)))


def mark_missing(connection: apsw.Connection, files: Iterable[int]) -> None:
    """Remember that files are no longer in the input directory."""
    for file in files:
        connection.execute("UPDATE file SET missing = 1 WHERE no = ?", (file,))
        seals.seal(connection, file)


def save(
    connection: apsw.Connection, tables: Tables, source: Source, digest: bytes, said: str, records: int, rejected: int
) -> None:
    """Remember a file that was read."""
    row = (tables.file(source.name), source.name, tables.type(source.type), source.order, *source.signature)
    connection.execute(INSERT_FILE, (*row, digest, said, records, rejected))


def forget(store: Store, connection: apsw.Connection, gone: Iterable[int]) -> Counter[str]:
    """Forget files; retire what no other file holds. Returns the counts of `update_states`."""
    touched: set[bytes] = set()
    redelivered: set[int] = set()
    for no in gone:
        others = """SELECT DISTINCT object FROM holding WHERE delivered IS NOT NULL
            AND object IN (SELECT object FROM holding WHERE file = ?)"""
        redelivered.update(each for (each,) in connection.execute(others, (no,)))
        held = "SELECT DISTINCT object.id FROM holding JOIN object ON object.no = holding.object WHERE holding.file = ?"
        touched.update(identity for (identity,) in connection.execute(held, (no,)))
        connection.execute("DELETE FROM holding WHERE file = ?", (no,))
        connection.execute("DELETE FROM file WHERE no = ?", (no,))
    delivery.refresh(store, connection, redelivered)
    return update_states(connection, touched)
