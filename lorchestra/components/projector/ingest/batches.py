"""Records of a stream enter the store in batches: each one is a source of `pull`, committed whole or not at all."""

from __future__ import annotations

import hashlib
import os
import select
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import apsw
import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.database import metadata_db
from lorchestra.components.projector.ingest.pull import GROUP_BYTES, Pull
from lorchestra.components.projector.record.canonical import Signature
from lorchestra.records import iglu, jsonl, names
from lorchestra.records.names import BatchName

UNTYPED = "untyped"
"""The type of records without a valid `schema`, if no other type is given. All of them are rejected."""
COUNTS = (
    "records_in", "inserted", "duplicates", "revised", "skipped_changes", "purged", "returned", "rejected"
)  # fmt: skip
"""What the report of a batch counts; the meanings are those of `pull`."""
_BLOCK = 256 * 1024


class Batch(NamedTuple):
    """Some records of a stream, all of one type. Lines count from 1 within the batch."""

    called: BatchName
    content: list[bytes]

    @property
    def name(self) -> str:
        return self.called.file

    @property
    def type(self) -> str:
        return self.called.type

    @property
    def order(self) -> str:
        return self.called.order

    @property
    def signature(self) -> Signature:
        return Signature(sum(map(len, self.content)) + len(self.content), 0, 0, 0)

    def digest(self) -> bytes:
        """SHA-256 of the lines, each with an LF."""
        digest = hashlib.sha256()
        for line in self.content:
            digest.update(line + b"\n")
        return digest.digest()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines."""
        yield from enumerate(self.content, 1)


class Input:
    """Lines from a descriptor. While no line is complete, `expired` is called after each `timeout` in seconds."""

    def __init__(self, descriptor: int, timeout: Callable[[], float | None], expired: Callable[[], None]) -> None:
        """`timeout` returns None to wait without a limit."""
        self._descriptor, self._timeout, self._expired = descriptor, timeout, expired
        self._buffer = bytearray()

    def readline(self, limit: int) -> bytes:
        """The next line with its end, cut after `limit` bytes; empty at the end of the input."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched, limit)) < 0 and len(self._buffer) < limit:
            searched = len(self._buffer)
            block = self._read()
            if not block:
                break
            self._buffer += block
        cut = limit if end < 0 else end + 1
        line = bytes(self._buffer[:cut])
        del self._buffer[:cut]
        return line

    def _read(self) -> bytes:
        while not select.select([self._descriptor], [], [], self._timeout())[0]:
            self._expired()
        return os.read(self._descriptor, _BLOCK)


class Ingest:
    """A stream on its way into the store. The caller holds the lock.

    `committed` is called after each commit, with its report. Up to `most` records, or those of `seconds`, are one
    batch; so are 16 MiB, because a batch is held in memory.
    """

    def __init__(
        self, pull: Pull, committed: Callable[[dict[str, Any]], None], *, kind: str | None, most: int, seconds: float
    ) -> None:
        """`kind` is the type of all records; None takes it from the schema that each record names."""
        self._pull, self._committed = pull, committed
        self._kind, self._most, self._seconds = kind, most, seconds
        self._pending: dict[str, list[bytes]] = {}
        self._records = self._bytes = 0
        self._due = 0.0
        self._last = _last(pull.connection)

    def run(self, descriptor: int) -> None:
        """Commit all records of an input. If a line is no record, everything before it is committed. Raises Failure."""
        try:
            for number, line in jsonl.read(Input(descriptor, self._timeout, self._commit), "standard input"):
                self._add(number, line)
        except Failure as failure:
            if failure.code is Code.NOT_JSONL:
                self._commit()
            raise
        self._commit()

    def _timeout(self) -> float | None:
        return max(self._due - time.monotonic(), 0) if self._records else None

    def _add(self, number: int, line: bytes) -> None:
        self._pending.setdefault(self._type(number, line), []).append(line)
        if not self._records:
            self._due = time.monotonic() + self._seconds
        self._records, self._bytes = self._records + 1, self._bytes + len(line)
        if self._records >= self._most or self._bytes >= GROUP_BYTES or time.monotonic() >= self._due:
            self._commit()

    def _type(self, number: int, line: bytes) -> str:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            record = None
        if not isinstance(record, dict):
            advice = "The program before the pipe failed: read its messages. Everything before this line was committed."
            raise Failure(Code.NOT_JSONL, f"standard input: line {number} is not a JSON object", advice=advice)
        return self._kind or self._type_of_schema(number, record.get("schema"))

    def _type_of_schema(self, number: int, uri: Any) -> str:
        key = iglu.parse(uri) if isinstance(uri, str) else None
        if key is None:
            return UNTYPED
        try:
            self._pull.validators.get(uri)  # otherwise any text of a record could become the name of a type
        except Failure as failure:
            code = failure.code
        else:
            if names.is_type(key.name):
                return key.name
            code = Code.SCHEMA_INVALID
        advice = "Add or fix the schema, or name the type of the records with --type."
        message = f"standard input: line {number}: the schema named by the record is missing or gives no type"
        raise Failure(code, message, advice=advice)

    def _commit(self) -> None:
        """Commit what is pending, as one batch for each type."""
        while self._pending:
            kind = next(iter(self._pending))
            self._commit_batch(Batch(_next(self._last, kind), self._pending.pop(kind)))
        self._records = self._bytes = 0

    def _commit_batch(self, batch: Batch) -> None:
        pull = self._pull
        pull.counts.clear()
        pull.rejected_by.clear()
        pull.run([batch])
        if pull.failures:
            raise pull.failures.pop().failure
        self._last = batch.called
        head = {"batch": batch.name, "sequence": batch.called.sequence, "sha256": batch.digest().hex()}
        counts = {name: pull.counts[name] for name in COUNTS}
        self._committed({**head, **counts, "rejected_by": dict(sorted(pull.rejected_by.items()))})


def _next(last: BatchName, kind: str) -> BatchName:
    """The name of the batch after another one. Its day is never earlier, whatever the clock says."""
    return BatchName(kind, last.sequence + 1, max(last.date, f"{datetime.now(UTC):%Y%m%d}"))


def _last(connection: apsw.Connection) -> BatchName:
    """The batch with the highest number in the store."""
    query = 'SELECT name FROM file WHERE name GLOB ? ORDER BY substr(name, instr(name, ".")) DESC LIMIT 1'
    name = metadata_db.value(connection, query.replace('"', "'"), (names.BATCHES,), "")
    return names.parse_batch(name) or BatchName(UNTYPED, 0, "00010101")
