"""JSON Lines as bytes: UTF-8, one object a line, lines end with LF.

Lines are cut at LF alone: `str.splitlines` would also cut at U+2028 and its kin, which are legal inside a JSON string.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from lorchestra.base.errors import Code, Failure

LONGEST_LINE = 64 * 1024 * 1024
_CHUNK = 1024 * 1024


def read(stream: BinaryIO, name: str = "input", *, longest: int = LONGEST_LINE) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line without its end); blank lines are counted and passed over.

    Memory is bounded by `longest` bytes. Raises Failure(NOT_JSONL) with the number of a line that is longer.
    """
    number = 0
    while line := stream.readline(longest + 2):
        number += 1
        line = line.rstrip(b"\r\n")
        if len(line) > longest:
            raise Failure(Code.NOT_JSONL, f"{name}: line {number} is longer than {longest} bytes")
        if line and not line.isspace():
            yield number, line


def count(path: str) -> int:
    """How many lines a file has. A torn last line counts."""
    lines, ends_with_newline = 0, True
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            lines += chunk.count(b"\n")
            ends_with_newline = chunk.endswith(b"\n")
    return lines if ends_with_newline else lines + 1


def has_duplicate_key(document: bytes) -> bool:
    """Whether a key stands twice in one object of a JSON document: readers differ on which value it has then."""
    found = False

    def note(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in pairs}) < len(pairs)

    json.loads(document, object_pairs_hook=note)
    return found
