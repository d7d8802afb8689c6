"""Compressed JSON Lines (`.jsonl.gz`, RFC 1952), read in bounded memory and only if they are whole.

A file that ends early or is damaged is refused, and so is one that decompresses to far more than any real file does: a
small file must not fill a disk.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from lorchestra.base.errors import Code, Failure, visible
from lorchestra.records.names import COMPRESSED

_GZIP = 16 + zlib.MAX_WBITS
_PART = 256 * 1024
LARGEST = 1024 * 1024 * 1024
"""Up to this size, in bytes after decompression, a file may decompress to any multiple of its own size."""
MOST_TIMES = 100
"""A larger file may decompress to this multiple of its size. Records compress to a fifth or a twentieth."""


def is_compressed(name: str) -> bool:
    """Whether a file with this name is compressed."""
    return name.endswith(COMPRESSED)


class Gunzip:
    """Decompresses what it is fed. Several members, one after the other, are one stream, as for `gzip -d`."""

    def __init__(self, name: str) -> None:
        """`name` is the file's, for messages."""
        self._name = visible(os.path.basename(name))
        self._member = zlib.decompressobj(_GZIP)
        self._fed = self._made = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed parts of the next piece. Raises Failure(NOT_JSONL)."""
        self._fed += len(data)
        while data:
            if self._member.eof:
                data = data.lstrip(b"\0")  # padding, as on tapes
                self._member = zlib.decompressobj(_GZIP) if data else self._member
                continue
            try:
                part = self._member.decompress(data, _PART)
            except zlib.error:
                raise self._failure("the compressed data is damaged") from None
            data = self._member.unconsumed_tail or self._member.unused_data
            self._made += len(part)
            if self._made > max(LARGEST, MOST_TIMES * self._fed):
                raise self._failure(f"decompresses to more than {LARGEST:,} bytes and {MOST_TIMES} times its size")
            if part:
                yield part

    def end(self) -> None:
        """Raises Failure(NOT_JSONL) if the data ended early."""
        if not self._member.eof:
            raise self._failure("the compressed data ends early: the file is truncated")

    def _failure(self, what: str) -> Failure:
        return Failure(Code.NOT_JSONL, f"{self._name}: {what}", advice="Get the file again from where it came from.")


class _Reader(io.RawIOBase):
    """The decompressed content of an open file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._gunzip = file, Gunzip(name)
        self._parts: Iterator[bytes] = iter(())
        self._rest = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            part = next(self._parts, None)
            if part is not None:
                self._rest = part
            elif data := self._file.read(_PART):
                self._parts = self._gunzip.feed(data)
            else:
                self._gunzip.end()
                return 0
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


def reader(file: BinaryIO, name: str) -> BinaryIO:
    """The lines of an open file: decompressed if its name says that it is compressed. Closing it closes the file.

    Reading raises Failure(NOT_JSONL) as `Gunzip` does.
    """
    return io.BufferedReader(_Reader(file, name), _PART) if is_compressed(name) else file
