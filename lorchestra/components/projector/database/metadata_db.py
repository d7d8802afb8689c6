"""metadata.db: opening it for one writer or for many readers, and the values that it keeps about itself.

SQLite in WAL mode, synchronous FULL: a commit is on the disk. `temp_store=MEMORY`, because SQLite would otherwise
write records to /var/tmp; `secure_delete`, so that deleted content is overwritten.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.database import migrations
from lorchestra.components.projector.objects.layout import ID_BYTES, Store
from lorchestra.records import names
from lorchestra.storage import private

_APPLICATION_ID = 0x6C6F7263  # "lorc"
_NO_STORE = "Check --store, or run: vector-projector pull"
_MAGIC = b"SQLite format 3\0"
_BUSY_MS = 10_000
_LONGEST_LOG = 64 * 1024 * 1024


def open_writer(store: Store) -> apsw.Connection:
    """The database for the holder of the lock, created if it does not exist, migrated if it is older.

    Raises Failure(STORE_DAMAGED) if it is not a database, was lost, or is newer than this program.
    """
    if not store.database.exists():
        private.create(store.database).close()  # with mode 0600, which WAL and shm inherit
    connection = _connect(store)
    try:
        with guarded(store, connection):
            connection.pragma("journal_mode", "wal")
            connection.pragma("journal_size_limit", _LONGEST_LOG)
            connection.pragma("synchronous", "full")
            connection.pragma("secure_delete", "on")
            connection.pragma("cache_size", -64_000)
            if connection.pragma("user_version") == 0:
                _refuse_lost(store)
            migrations.migrate(store, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def create_new(path: Path) -> apsw.Connection:
    """A new database that no other program uses yet: fast to fill, durable only after its file is synced."""
    path.unlink(missing_ok=True)
    private.create(path).close()
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.pragma("temp_store", "memory")
    connection.pragma("secure_delete", "on")  # or merged pages of the full text would keep words that were purged
    connection.pragma("journal_mode", "off")
    connection.pragma("synchronous", "off")
    connection.pragma("cache_size", -64_000)
    connection.pragma("application_id", _APPLICATION_ID)
    migrations.apply(connection)
    return connection


def open_reader(store: Store) -> apsw.Connection:
    """The database for reading. Raises Failure(MISSING) if it does not exist, Failure(STORE_DAMAGED)."""
    if not store.database.exists():
        raise Failure(Code.MISSING, f"{store.root}: contains no store", advice=_NO_STORE)
    connection = _connect(store)  # for reading and writing: a reader in WAL mode writes the shared memory
    connection.pragma("query_only", "on")
    version = connection.pragma("user_version")
    if version == 0:
        raise Failure(Code.MISSING, f"{store.root}: contains no store yet", advice=_NO_STORE)
    migrations.refuse_newer(store, version)
    return connection


def is_older(connection: apsw.Connection) -> bool:
    """Whether a database has to be migrated."""
    return bool(connection.pragma("user_version") < migrations.newest())


def refuse_newer_file(store: Store) -> None:
    """Raise Failure(STORE_DAMAGED) if the database was written by a newer program, as its header says.

    https://www.sqlite.org/fileformat2.html: bytes 60 to 63 are the user version, big-endian.
    """
    try:
        with store.database.open("rb") as file:
            header = file.read(64)
    except FileNotFoundError:
        return
    if header.startswith(_MAGIC) and len(header) == 64:
        migrations.refuse_newer(store, int.from_bytes(header[60:64], "big"))


def tombstones(store: Store) -> list[tuple[str, bytes]]:
    """Type and id of each purged object that the database still knows, however damaged it is otherwise."""
    query = "SELECT name, id FROM tombstone JOIN type ON type.no = tombstone.type"
    rows = _salvaged(store, query)
    return [(kind, each) for kind, each in rows if isinstance(kind, str) and names.is_type(kind) and is_id(each)]


def retired(store: Store) -> set[bytes]:
    """The ids of the retired objects that the database still knows, however damaged it is otherwise."""
    return {each for (each,) in _salvaged(store, "SELECT id FROM object WHERE state = 2") if is_id(each)}


class BatchHolding(NamedTuple):
    """That a line of a batch holds a revision; `delivered` as in database/delivery.py."""

    batch: str
    id: bytes
    revision: int
    line: int
    delivered: str | None


def batch_holdings(store: Store) -> list[BatchHolding]:
    """What batches hold, as far as a damaged database still knows it. Unlike files, they cannot be read again."""
    query = f"""SELECT file.name, object.id, revision, line, delivered FROM file JOIN holding ON file = file.no
                JOIN object ON object.no = object WHERE file.name GLOB '{names.BATCHES}'"""  # noqa: S608 - a constant
    return [row for row in map(BatchHolding._make, _salvaged(store, query)) if _is_holding(row)]


def _is_holding(row: BatchHolding) -> bool:
    numbers = isinstance(row.revision, int) and isinstance(row.line, int) and row.line > 0
    if not (numbers and is_id(row.id) and isinstance(row.batch, str) and names.parse_batch(row.batch)):
        return False
    try:
        said = {"line": ""} if row.delivered is None else orjson.loads(row.delivered)
    except (orjson.JSONDecodeError, TypeError):
        return False
    return isinstance(said, dict) and (isinstance(said.get("line"), str) or isinstance(said.get("volatile"), dict))


def is_id(value: object) -> bool:
    """Whether a value from a damaged database can be an id."""
    return isinstance(value, bytes) and len(value) == ID_BYTES


def _salvaged(store: Store, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query up to the first that cannot be read; none if the database cannot be opened."""
    found: list[tuple[Any, ...]] = []
    try:
        with closing(apsw.Connection(str(store.database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            found.extend(connection.execute(query))
    except apsw.Error:
        pass
    return found


@contextmanager
def guarded(store: Store, connection: apsw.Connection | None) -> Iterator[None]:
    """Turn SQLite's errors about the disk into a Failure: a full or failing disk, broken pages, no permission.

    `connection` provides the system's error number; None if the block opens its own.
    """
    try:
        yield
        return
    except apsw.FullError:
        failure = Failure(Code.NO_SPACE, f"{store.database}: no space left")
    except apsw.IOError:
        full = connection is not None and connection.system_errno in (errno.ENOSPC, errno.EDQUOT)
        what = "no space left" if full else "the disk failed"
        failure = Failure(Code.NO_SPACE if full else Code.STORE_DAMAGED, f"{store.database}: {what}")
    except orjson.JSONDecodeError:
        failure = Failure(Code.STORE_DAMAGED, f"{store.database}: a row is damaged")
    except apsw.NotADBError:
        failure = Failure(Code.STORE_DAMAGED, f"{store.database}: not a database")
    except apsw.CorruptError:
        failure = Failure(Code.STORE_DAMAGED, f"{store.database}: damaged")
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError):
        failure = Failure(Code.PERMISSION, f"{store.database}: cannot be opened or written")
    except (apsw.BusyError, apsw.LockedError):
        failure = Failure(Code.BUSY, f"{store.database}: locked by another program")
    raise failure


def rows(connection: apsw.Connection, query: str, values: Sequence[Any] = ()) -> list[Any]:
    """All rows of a query, as tuples."""
    return list(connection.execute(query, tuple(values)))


def value(connection: apsw.Connection, query: str, values: Sequence[Any] = (), default: Any = None) -> Any:
    """The first column of a query's first row."""
    row = connection.execute(query, tuple(values)).fetchone()
    return default if row is None else row[0]


def get_meta(connection: apsw.Connection, key: str, default: Any = None) -> Any:
    """A stored value."""
    return value(connection, "SELECT value FROM meta WHERE key = ?", (key,), default)


def set_meta(connection: apsw.Connection, key: str, content: Any) -> None:
    """Store a value."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, content))


def remember(connection: apsw.Connection, key: str, content: Any) -> None:
    """Store a value; write nothing if it is unchanged."""
    if get_meta(connection, key) != content:
        set_meta(connection, key, content)


def _connect(store: Store) -> apsw.Connection:
    try:
        connection = apsw.Connection(str(store.database), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.CantOpenError:
        connection = None
    if connection is None:
        raise Failure(Code.PERMISSION, f"{store.database}: cannot be opened")
    with guarded(store, connection):
        connection.set_busy_timeout(_BUSY_MS)
        connection.pragma("temp_store", "memory")
        connection.pragma("user_version")
    return connection


def _refuse_lost(store: Store) -> None:
    """Refuse an empty database next to objects: the old one was lost, and a new one would know none of them."""
    if any(store.objects.iterdir()):
        raise Failure(
            Code.STORE_DAMAGED,
            f"{store.database}: missing, but there are objects",
            advice="Run: vector-projector repair",
        )
