"""Reading a canonical file or a batch: every line becomes a record ready to be stored, or a reject with its reason."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.components.projector.objects import identity
from lorchestra.components.projector.record import schema
from lorchestra.components.projector.record.schema import Record, RecordSchema
from lorchestra.components.projector.record.validators import Validator, Validators
from lorchestra.records import iglu, jsonl, names
from lorchestra.records.violations import Violation

_BLOCK = 1024 * 1024
_TOO_DEEP = Violation("too_deep", "/")


class Signature(NamedTuple):
    """What shows, with one stat, that a file was not changed."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Source(Protocol):
    """Records that enter the store together: a canonical file, or a batch of a stream."""

    @property
    def name(self) -> str:
        """A name that `names.parse_delivery` can parse."""

    @property
    def type(self) -> str:
        """The type of the records."""

    @property
    def order(self) -> str:
        """Of two sources with the same record, the one with the greater order is newer."""

    @property
    def signature(self) -> Signature:
        """The size in bytes, and what shows that a file was not changed."""

    def digest(self) -> bytes:
        """SHA-256 of the lines with their ends."""

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and content of each line. Raises Failure(NOT_JSONL | INPUT_CHANGED)."""


class CanonicalFile(NamedTuple):
    """A canonical file to be pulled."""

    path: Path
    type: str
    order: str
    signature: Signature

    @property
    def name(self) -> str:
        return self.path.name

    def digest(self) -> bytes:
        """SHA-256 of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines. Raises Failure: NOT_JSONL for one that is too long, INPUT_CHANGED."""
        with self.path.open("rb", buffering=_BLOCK) as file:
            yield from jsonl.read(file, self.name)
            if signature(os.fstat(file.fileno())) != self.signature:
                raise Failure(Code.INPUT_CHANGED, f"{self.name}: changed while it was read")


class Reject(NamedTuple):
    """A line that is no valid record, and why."""

    line: int
    violation: Violation
    schema: str | None
    raw: bytes


def signature(status: os.stat_result) -> Signature:
    """The signature in a stat's result."""
    return Signature(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def source(path: Path) -> CanonicalFile:
    """The canonical file at a path. Raises Failure(USAGE | MISSING | PERMISSION)."""
    name = names.parse_canonical(path.name)
    if name is None:
        raise Failure(Code.USAGE, "a file's name is not {type}-{date}.jsonl")
    try:
        status = os.stat(path)
    except OSError as error:
        failure = from_os_error(error, path)
    else:
        if stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK):
            return CanonicalFile(path, name.stem, name.date, signature(status))
        failure = Failure(Code.PERMISSION, f"{path.name}: cannot be read, or is not a regular file")
    raise failure


def read(source: Source, validators: Validators) -> Iterator[Record | Reject]:
    """Yield the lines of a source, judged by the schemas that they name.

    Raises Failure: NOT_JSONL for a line that is not a JSON object, SCHEMA_MISSING or SCHEMA_INVALID for a schema that
    cannot be had, INPUT_CHANGED when the file moved under the reader.
    """
    for number, line in source.lines():
        yield _judged(source, number, line, validators)


def _judged(source: Source, number: int, line: bytes, validators: Validators) -> Record | Reject:
    record = _parsed(line)
    if record is None:
        raise Failure(Code.NOT_JSONL, f"{source.name}: line {number} is not a JSON object")
    uri = record.get("schema")
    if not isinstance(uri, str) or iglu.parse(uri) is None:
        return Reject(number, Violation("schema_absent", "/properties/schema"), None, line)
    how = _judge(source, number, uri, validators)
    try:
        violation = how.violation(record)
    except ValueError:  # orjson reads deeper than the validator follows
        violation = _TOO_DEEP
    if violation:
        return Reject(number, violation, uri, line)
    try:
        return prepare(source.type, number, line, record, how)
    except TypeError:  # ... and than it writes
        return Reject(number, _TOO_DEEP, uri, line)


def prepare(kind: str, number: int, line: bytes, record: dict[str, Any], how: RecordSchema) -> Record:
    """A valid record, ready to be stored."""
    content = identity.fingerprint(record, how.volatile)
    return Record(
        identity.object_id(kind, record, how.rules.key, content),
        content,
        number,
        schema.moment(record, how.rules),
        how,
        line,
        schema.searched(record, how.rules),
        tuple([schema.column(record.get(name)) for name in how.columns]),
        identity.volatile_digest(record, how.rules.volatile) if how.rules.volatile else None,
    )


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _judge(source: Source, number: int, uri: str, validators: Validators) -> Validator:
    try:
        return validators.get(uri)
    except Failure as failure:
        code = failure.code
    # The name of the schema comes from a record, so it is not reported.
    what = f"is not in {validators.root}" if code is Code.SCHEMA_MISSING else "is not a valid one"
    raise Failure(code, f"{source.name}: line {number}: the schema named by the record {what}")
