"""Merge several files of records into one, so that no record is lost and none is duplicated.

A record's identity is declared, never guessed: the fields named by `key`, otherwise the whole line. Memory holds an
index (one digest and one position per record), never the records.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import shutil
import stat
import tempfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.records import compressed
from lorchestra.records.jsonl import LONGEST_LINE

_COPY = 1024 * 1024


class Merge:
    """Records by key, in the order in which each key first appeared. With a declared key the later record wins.

    `key` names the fields that identify a record. If it is empty, or a record lacks one of its fields, the whole line
    is the identity. `torn` counts last lines that a killed writer left unfinished, `replaced` the records that a later
    one with the same key replaced, and `offered` the records that were added since `mark_baseline`.
    """

    def __init__(self, key: Sequence[str] = ()) -> None:
        self._key, self._prefix = tuple(key), repr(tuple(key)).encode()
        self._rows: dict[bytes, int] = {}
        self._files: list[BinaryIO] = []
        # One row a line that was kept: which file, where in it, how long.
        self._file, self._offset, self._length = array("L"), array("Q"), array("Q")
        self._settled = 0
        self.offered = self.replaced = self.torn = 0

    def __enter__(self) -> Merge:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def new(self) -> int:
        """How many records were added or changed since `mark_baseline`."""
        return sum(row >= self._settled for row in self._rows.values())

    def mark_baseline(self) -> None:
        """Mark the records added so far as the baseline for counting changes."""
        self._settled = len(self._file)
        self.offered = 0

    def add(self, path: Path, *, finished: bool = True) -> None:
        """Add a file's records. The torn last line of a file that is not `finished` is cut off and counted.

        Raises Failure(NOT_JSONL) naming the first line that is not a JSON object; the merge must not be used then.
        """
        file = _plain(_open(path), path)
        self._files.append(file)
        for number, offset, line, has_end in _lines(file, path.name):
            record = _object(line)
            if record is not None:
                self._take(_identity(record, line, self._key, self._prefix), offset, line)
            elif finished or has_end:
                raise Failure(Code.NOT_JSONL, f"{path.name}: line {number} is not a JSON object")
            else:
                self.torn += 1

    def write(self, out: BinaryIO) -> None:
        """Write the records, one per line."""
        for file, offset, length in self._ranges():
            for at in range(offset, offset + length, _COPY):
                out.write(os.pread(self._files[file].fileno(), min(_COPY, offset + length - at), at))
            out.write(b"\n")

    def _ranges(self) -> Iterator[tuple[int, int, int]]:
        """File, offset and length of the records in order. Lines with only LF between them are one range."""
        file, offset, length = -1, 0, 0
        for row in self._rows.values():
            if self._file[row] == file and self._offset[row] == offset + length + 1:
                length += 1 + self._length[row]
                continue
            if file >= 0:
                yield file, offset, length
            file, offset, length = self._file[row], self._offset[row], self._length[row]
        if file >= 0:
            yield file, offset, length

    def _take(self, key: bytes, offset: int, line: bytes) -> None:
        self.offered += 1
        before = self._rows.get(key)
        if before is not None:
            if self._line(before) == line:
                return
            self.replaced += 1
        self._rows[key] = len(self._file)
        self._file.append(len(self._files) - 1)
        self._offset.append(offset)
        self._length.append(len(line))

    def _line(self, row: int) -> bytes:
        return os.pread(self._files[self._file[row]].fileno(), self._length[row], self._offset[row])


def _open(path: Path) -> BinaryIO:
    """Open a regular file; never follow a link, and never wait for a pipe's writer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Failure(Code.NOT_JSONL, f"{path.name}: not a plain file")
    return os.fdopen(descriptor, "rb", buffering=1024 * 1024)


def _plain(file: BinaryIO, path: Path) -> BinaryIO:
    """An open file; decompressed, in a nameless file of the same directory, if it is compressed."""
    if not compressed.is_compressed(path.name):
        return file
    plain: BinaryIO = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - the merge closes it
    try:
        with compressed.reader(file, path.name) as content:
            shutil.copyfileobj(content, plain, 1024 * 1024)
        plain.seek(0)
    except BaseException:
        plain.close()
        raise
    return plain


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, int, bytes, bool]]:
    """Number, offset, content and "ends with a newline" of each line that is not blank."""
    offset = number = 0
    while raw := file.readline(LONGEST_LINE + 2):
        number += 1
        line = raw.rstrip(b"\r\n")
        if len(line) > LONGEST_LINE:
            raise Failure(Code.NOT_JSONL, f"{name}: line {number} is longer than {LONGEST_LINE} bytes")
        skipped = len(codecs.BOM_UTF8) if number == 1 and line.startswith(codecs.BOM_UTF8) else 0
        if line[skipped:].strip():
            yield number, offset + skipped, line[skipped:], raw.endswith(b"\n")
        offset += len(raw)


def _object(line: bytes) -> Mapping[str, Any] | None:
    """The JSON object in a line; None if it is not one."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = _odd_object(line)
    return value if isinstance(value, dict) else None


def _odd_object(line: bytes) -> Any:
    """An object that orjson refuses: NaN, lone surrogates, bytes that are not UTF-8, thousands of levels.

    Such a record must not block the others here. The canonizer decides about it.
    """
    try:
        return json.loads(line.decode("utf-8", "replace"), parse_int=float)
    except RecursionError:
        return {} if line.startswith(b"{") and line.rstrip().endswith(b"}") else None
    except ValueError:
        return None


def _identity(record: Mapping[str, Any], line: bytes, key: Sequence[str], prefix: bytes) -> bytes:
    values = [record.get(name) for name in key]
    if values and all(_identifies(value) for value in values):
        line = b"\0".join([prefix, *(repr(value).encode("utf-8", "replace") for value in values)])
    return hashlib.blake2b(line, digest_size=16).digest()


def _identifies(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""
