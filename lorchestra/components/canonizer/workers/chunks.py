"""An input cut into chunks of whole lines, as they arrive, in bounded memory."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator

from lorchestra.base.errors import Code, Failure, from_os_error, visible
from lorchestra.components.canonizer.record.requests import Chunk
from lorchestra.records import compressed
from lorchestra.records.jsonl import LONGEST_LINE

SIZE = 256 * 1024
_LINE_ENDS_TO_TABS = bytes.maketrans(b"\r\n", b"\t\t")


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of an input file. Raises Failure(MISSING | PERMISSION), and (INPUT_CHANGED) at the end of the block
    if a regular file changed while it was read, even if something else failed because of that.
    """
    failure: Failure | None = None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        before = os.fstat(descriptor)
        if stat.S_ISDIR(before.st_mode):
            os.close(descriptor)
            raise IsADirectoryError(errno.EISDIR, "")
    except OSError as error:
        failure = from_os_error(error, path)
    if failure:
        raise failure
    try:
        yield descriptor
    except Failure as fault:
        failure = fault
    finally:
        after = os.fstat(descriptor)
        os.close(descriptor)
    if stat.S_ISREG(before.st_mode) and (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        failure = Failure(Code.INPUT_CHANGED, f"{visible(path)}: changed while it was read")
    if failure:
        raise failure


def cut(descriptor: int, name: str, seen: Callable[[bytes], object] = bool) -> Iterator[Chunk]:
    """Yield what a descriptor holds; each part that was read is shown to `seen` first.

    A byte order mark at the beginning is skipped. Raises Failure(NOT_JSONL) with the number of a line that is
    longer than `LONGEST_LINE`.
    """
    number = 1
    begun = bytearray()  # a line whose end has not come yet, however small the pieces that it comes in
    for part in _parts(descriptor, name, seen):
        whole, end, rest = part.rpartition(b"\n")
        if end:
            chunk = _chunk(number, b"".join((begun, whole, end)))
            yield chunk
            number += chunk.lines.count(b"\n")
            begun.clear()
        begun += rest
        if len(begun) > LONGEST_LINE:
            raise Failure(Code.NOT_JSONL, f"{visible(name)}: line {number} is longer than {LONGEST_LINE} bytes")
    if begun:
        yield _chunk(number, bytes(begun))


def document(descriptor: int, name: str) -> Iterator[Chunk]:
    """Yield one JSON document, pretty-printed or not, as one line. Raises Failure(NOT_JSONL) if it is too long."""
    begun = bytearray()
    for part in _parts(descriptor, name):
        begun += as_line(part)
        if len(begun) > LONGEST_LINE:
            raise Failure(Code.NOT_JSONL, f"{visible(name)}: the document is longer than {LONGEST_LINE} bytes")
    if begun:
        yield _chunk(1, bytes(begun))


def as_line(document: bytes) -> bytes:
    """A JSON document on one line. What was not JSON stays so: inside a string a tab is as wrong as a line end."""
    return document.translate(_LINE_ENDS_TO_TABS)


def singles(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield the records of chunks one by one."""
    for chunk in chunks:
        for number, line in enumerate(chunk.lines.split(b"\n"), chunk.first):
            if line and not line.isspace():
                yield Chunk(number, line)


def sample(chunks: Iterator[Chunk], count: int, seed: int = 0) -> Iterator[Chunk]:
    """Yield `count` records, sampled evenly, in their order; the same input gives the same sample.

    Vitter's algorithm R: only the records drawn so far are held.
    """
    import random

    draw = random.Random(seed)  # noqa: S311 - no secret
    held: list[Chunk] = []
    for seen, single in enumerate(singles(chunks)):
        if seen < count:
            held.append(single)
        elif (place := draw.randrange(seen + 1)) < count:
            held[place] = single
    yield from sorted(held)


def _chunk(number: int, lines: bytes) -> Chunk:
    return Chunk(number, lines.removeprefix(codecs.BOM_UTF8) if number == 1 else lines)


def _parts(descriptor: int, name: str, seen: Callable[[bytes], object] = bool) -> Iterator[bytes]:
    """What a descriptor holds, decompressed if the name says that it is compressed."""
    gunzip = compressed.Gunzip(name) if compressed.is_compressed(name) else None
    while part := _read(descriptor, name):
        seen(part)
        if gunzip:
            yield from gunzip.feed(part)
        else:
            yield part
    if gunzip:
        gunzip.end()


def _read(descriptor: int, name: str) -> bytes:
    try:
        return os.read(descriptor, SIZE)
    except OSError as error:
        failure = from_os_error(error, name)
    raise failure
