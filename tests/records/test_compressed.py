"""Compressed JSON Lines are read in bounded memory, and only if they are whole."""

from __future__ import annotations

import gzip
import io
import tracemalloc

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.records import compressed
from lorchestra.records.compressed import Gunzip

LINES = b"".join(b'{"id": %d}\n' % number for number in range(50_000))
WHOLE = gzip.compress(LINES, mtime=0)


def read(content: bytes) -> bytes:
    with compressed.reader(io.BytesIO(content), "x.jsonl.gz") as file:
        return file.read()


@pytest.mark.parametrize(
    "content", [WHOLE, gzip.compress(LINES[:100], mtime=0) + gzip.compress(LINES[100:], mtime=0), WHOLE + bytes(512)]
)
def test_whole_files_are_read(content: bytes) -> None:
    assert read(content) == LINES
    gunzip = Gunzip("x")
    assert b"".join(part for at in range(len(content)) for part in gunzip.feed(content[at : at + 1])) == LINES
    gunzip.end()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends early"),
        (WHOLE[:5], "ends early"),
        (WHOLE[:-1], "ends early"),
        (WHOLE[: len(WHOLE) // 2], "ends early"),
        (WHOLE + WHOLE[:100], "ends early"),
        (WHOLE + b"rest", "damaged"),
        (WHOLE[:-6] + b"\0" + WHOLE[-5:], "damaged"),
        (b'{"id": 1}\n', "damaged"),
    ],
)
def test_files_that_are_not_whole_are_refused(content: bytes, why: str) -> None:
    with pytest.raises(Failure) as failure:
        read(content)
    assert failure.value.code is Code.NOT_JSONL
    assert failure.value.message.startswith("x.jsonl.gz: ")
    assert why in failure.value.message


def test_a_small_file_that_decompresses_to_a_huge_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    monkeypatch.setattr(compressed, "LARGEST", 16 * 1024 * 1024)
    tracemalloc.start()
    gunzip, made = Gunzip("bomb"), 0
    with pytest.raises(Failure, match="decompresses to more than 16,777,216 bytes and 100 times its size"):
        for part in gunzip.feed(bomb):
            made += len(part)
    assert made <= compressed.LARGEST
    assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    tracemalloc.stop()
