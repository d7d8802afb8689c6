"""What passes between the pool and its workers: two lengths, a header in JSON, bytes.

The header of a request is an `Order` or a `Check` with `"op": "prepare"`, answered by what was prepared; or
`"op": "lines"` with the key of what was prepared and the number of the first line, answered by what became of the
lines. The answer `failure` holds a code, a sentence and an advice.
"""

from __future__ import annotations

import os
import struct
from typing import Any, NamedTuple

import orjson

from lorchestra.components.canonizer.rules import Reject

_LENGTHS = struct.Struct(">QQ")
_MOST = 1024 * 1024


class Order(NamedTuple):
    """Which transform is wanted: by its metadata file; schemas and engine where they are not to be found from it."""

    meta: str
    schemas: str | None = None
    engine: str | None = None
    require_checksum: bool = True

    @property
    def told(self) -> str:
        """What messages call it."""
        return self.meta


class Check(NamedTuple):
    """Which schema records are to be checked against: an Iglu name or a file; and where its references lead."""

    schema: str
    schemas: str

    @property
    def told(self) -> str:
        """What messages call it."""
        return self.schema


class Converted(NamedTuple):
    """What became of some lines. `sources` holds, for each line of `output`, the number of the raw line."""

    output: bytes = b""
    sources: list[int] = []  # noqa: RUF012 - never changed
    rejects: list[Reject] = []  # noqa: RUF012
    records: int = 0
    dropped: int = 0
    inexact: int = 0
    not_json: int | None = None

    def and_then(self, other: Converted) -> Converted:
        """Both, `other` being of the lines that follow."""
        return Converted(
            self.output + other.output,
            self.sources + other.sources,
            self.rejects + other.rejects,
            self.records + other.records,
            self.dropped + other.dropped,
            self.inexact + other.inexact,
            other.not_json,
        )


def send(descriptor: int, header: dict[str, Any], blob: bytes = b"") -> None:
    """Write a message whole. Raises BrokenPipeError where nobody reads any more."""
    text = orjson.dumps(header)
    write_all(descriptor, _LENGTHS.pack(len(text), len(blob)) + text)
    write_all(descriptor, blob)


def receive(descriptor: int) -> tuple[dict[str, Any], bytes] | None:
    """Read a message; None where the writer is gone, also in the midst of one."""
    lengths = _exactly(descriptor, _LENGTHS.size)
    if lengths is None:
        return None
    header_length, blob_length = _LENGTHS.unpack(lengths)
    header, blob = _exactly(descriptor, header_length), _exactly(descriptor, blob_length)
    return None if header is None or blob is None else (orjson.loads(header), blob)


def write_all(descriptor: int, content: bytes) -> None:
    """Write bytes to a descriptor, however many calls it takes."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _exactly(descriptor: int, length: int) -> bytes | None:
    parts = []
    while length:
        part = os.read(descriptor, min(length, _MOST))
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
