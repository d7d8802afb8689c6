"""The rejected records of a canonical file: kept in a private file, with the reason.

A rejects file changes together with its row, in which its digest is stored: the new content is staged next to it
before the commit (no bytes if the file is to go) and gets its name afterwards. A staged file that a killed run left
takes effect if the digest in the row is its own, and is removed otherwise.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import apsw
import orjson

from lorchestra.components.projector.database import metadata_db, seals
from lorchestra.components.projector.objects.layout import Store
from lorchestra.records import rejects
from lorchestra.storage import private

if TYPE_CHECKING:  # it needs the schema validator, which takes long to import
    from lorchestra.components.projector.record.canonical import Reject, Source

STAGED = ".staged"
NONE = hashlib.sha256().digest()
"""The digest that stands for no rejects file."""


class Rejects:
    """The rejects of one canonical file while it is read."""

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self._name = store, source.name
        self._temporary = private.temporary_name(store.rejects(source.name))
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()

    def add(self, reject: Reject) -> None:
        """Keep a rejected line."""
        if self._file is None:
            self._file = private.create(self._temporary)
        rule, schema_path = reject.violation
        line = rejects.line(self._name, reject.line, "index", rule, schema_path, reject.raw)
        self._digest.update(line)
        self._file.write(line)

    def stage(self, connection: apsw.Connection) -> None:
        """Stage the file and store its digest, in the transaction that is about to be committed."""
        if self._file is None:
            if self._store.rejects(self._name).exists():
                stage(self._store, self._name, b"")
        else:
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._temporary, _staged(self._store, self._name))
        _store_digest(connection, self._name, self._digest.digest())

    def commit(self) -> None:
        """Give the file its name, after the commit."""
        commit(self._store, self._name)

    def discard(self) -> None:
        """Remove what was not staged."""
        if self._file is not None:
            self._file.close()
            self._temporary.unlink(missing_ok=True)


def stage(store: Store, name: str, content: bytes) -> None:
    """Stage the content of a rejects file, durably."""
    private.write(_staged(store, name), content)


def commit(store: Store, name: str) -> None:
    """Let the staged content of a rejects file take effect; nothing if none is staged."""
    staged, target = _staged(store, name), store.rejects(name)
    if not staged.exists():
        return
    if staged.stat().st_size:
        os.replace(staged, target)
    else:
        target.unlink(missing_ok=True)
        staged.unlink()


def replace(store: Store, connection: apsw.Connection, name: str, content: bytes) -> None:
    """Replace the content of a rejects file, in a transaction of its own."""
    stage(store, name, content)
    with connection:
        _store_digest(connection, name, hashlib.sha256(content).digest())
        number = metadata_db.value(connection, "SELECT no FROM file WHERE name = ?", (name,))
        if number is not None:
            seals.seal(connection, number)
    commit(store, name)


def recover(store: Store, connection: apsw.Connection) -> None:
    """Let staged files take effect or remove them, as the database says. Call it under the lock."""
    for staged in store.rejects("x").parent.glob(f".*{STAGED}"):
        name = staged.name[1 : -len(STAGED)]
        row = connection.execute("SELECT rejects FROM file WHERE name = ?", (name,)).fetchone()
        if hashlib.sha256(staged.read_bytes()).digest() == (row[0] if row else NONE):
            commit(store, name)
        else:
            staged.unlink()


def is_sound(content: bytes, name: str) -> bool:
    """Whether these are whole lines of rejects of the canonical file of this name."""
    *lines, rest = content.split(b"\n")
    return not rest and all(_is_reject(line, name) for line in lines)


def _is_reject(line: bytes, name: str) -> bool:
    head, found, record = line.partition(b',"record":')
    try:
        said = orjson.loads(head + b"}")
        return bool(found) and record.endswith(b"}") and said["input"] == name and isinstance(said["line"], int)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False


def _staged(store: Store, name: str) -> Path:
    target = store.rejects(name)
    return target.with_name(f".{name}{STAGED}")


def _store_digest(connection: apsw.Connection, name: str, digest: bytes) -> None:
    connection.execute("UPDATE file SET rejects = ? WHERE name = ?", (digest, name))
