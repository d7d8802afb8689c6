"""The messages between the pool and its workers: two lengths, a JSON header, bytes.

The header of a request is an `Order` or a `Check` with `"op": "prepare"`, answered by its identity; or
`"op": "lines"` with the key of what was prepared and the number of the first line, answered by the result of the
lines. The answer `failure` holds a code, a sentence and an advice.
"""

from __future__ import annotations

import os
import struct
from typing import Any

import orjson

_LENGTHS = struct.Struct(">QQ")
_MOST = 1024 * 1024


def send(descriptor: int, header: dict[str, Any], blob: bytes = b"") -> None:
    """Write a message. Raises BrokenPipeError if the reader is gone."""
    text = orjson.dumps(header)
    write_all(descriptor, _LENGTHS.pack(len(text), len(blob)) + text)
    write_all(descriptor, blob)


def receive(descriptor: int) -> tuple[dict[str, Any], bytes] | None:
    """Read a message; None if the writer is gone, also within a message."""
    lengths = _exactly(descriptor, _LENGTHS.size)
    if lengths is None:
        return None
    header_length, blob_length = _LENGTHS.unpack(lengths)
    header, blob = _exactly(descriptor, header_length), _exactly(descriptor, blob_length)
    return None if header is None or blob is None else (orjson.loads(header), blob)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all bytes to a descriptor."""
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
