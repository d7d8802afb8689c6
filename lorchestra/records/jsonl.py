"""JSON Lines as bytes: UTF-8, one object per line, lines end with LF.

Only LF ends a line: `str.splitlines` would also split at U+2028 and similar characters, which JSON strings may contain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

from lorchestra.base.errors import Code, Failure
from lorchestra.records import compressed

LONGEST_LINE = 64 * 1024 * 1024
_CHUNK = 1024 * 1024


class Lines(Protocol):
    """Anything that lines of bytes can be read from, such as an open file."""

    def readline(self, limit: int, /) -> bytes:
        """The next line with its end, cut after `limit` bytes; empty at the end."""


def read(stream: Lines, name: str = "input", *, longest: int = LONGEST_LINE) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line without its line end). Blank lines are counted and skipped.

    A line may have at most `longest` bytes. Raises Failure(NOT_JSONL) with the number of a longer line.
    """
    number = 0
    while line := stream.readline(longest + 2):
        number += 1
        line = line.rstrip(b"\r\n")
        if len(line) > longest:
            raise Failure(Code.NOT_JSONL, f"{name}: line {number} is longer than {longest:,} bytes")
        if line and not line.isspace():
            yield number, line


def count(path: str) -> int:
    """The number of lines of a file, which may be compressed. An incomplete last line counts.

    Raises Failure(NOT_JSONL) if it is compressed and damaged.
    """
    lines, ends_with_newline = 0, True
    with compressed.reader(open(path, "rb", buffering=0), path) as file:
        while chunk := file.read(_CHUNK):
            lines += chunk.count(b"\n")
            ends_with_newline = chunk.endswith(b"\n")
    return lines if ends_with_newline else lines + 1


def has_duplicate_key(document: bytes) -> bool:
    """Whether an object in a JSON document has a duplicate key: parsers disagree on which value counts."""
    found = False

    def note(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in pairs}) < len(pairs)

    json.loads(document, object_pairs_hook=note)
    return found
