"""An input cut into chunks of whole lines, as they arrive, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from lorchestra.base.errors import Code, Failure
from lorchestra.base.jsonl import LONGEST_LINE
from lorchestra.components.canonizer.pool import Chunk

SIZE = 256 * 1024
_BOM = b"\xef\xbb\xbf"


def cut(descriptor: int, name: str, seen: Callable[[bytes], object] = lambda _: None) -> Iterator[Chunk]:
    """Yield what a descriptor holds as chunks; each byte read is shown to `seen` first.

    A byte order mark at the very beginning is passed over. Raises Failure(NOT_JSONL) with the number of a line that is
    longer than `LONGEST_LINE`.
    """
    first, rest, begun = 1, b"", False
    while part := os.read(descriptor, SIZE):
        seen(part)
        whole, end, tail = part.rpartition(b"\n")
        if not end:
            rest += tail
            _bound(rest, name, first)
            continue
        lines = rest + whole + end
        rest = tail
        if not begun:
            lines, begun = lines.removeprefix(_BOM), True
        yield Chunk(first, lines)
        first += lines.count(b"\n")
    if rest:
        yield Chunk(first, rest if begun else rest.removeprefix(_BOM))


def _bound(rest: bytes, name: str, number: int) -> None:
    if len(rest) > LONGEST_LINE:
        raise Failure(Code.NOT_JSONL, f"{name}: line {number} is longer than {LONGEST_LINE} bytes")
