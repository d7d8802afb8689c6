"""JSON Lines as bytes: only LF ends a line, memory is bounded."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorchestra.base.errors import Code, Failure
from lorchestra.records import jsonl


def test_lines_are_numbered_and_blank_ones_skipped() -> None:
    text = '\n{"a":1}\r\n  \n{"b":"\u2028\x85"}\n\x0b\n{"c":3}'.encode()
    assert list(jsonl.read(io.BytesIO(text))) == [(2, b'{"a":1}'), (4, '{"b":"\u2028\x85"}'.encode()), (6, b'{"c":3}')]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_of_the_maximum_length_is_read_and_a_longer_one_refused(end: bytes) -> None:
    assert list(jsonl.read(io.BytesIO(b"x" * 10 + end), longest=10)) == [(1, b"x" * 10)]
    with pytest.raises(Failure) as caught:
        list(jsonl.read(io.BytesIO(b"a\n" + b"x" * 11 + end), "raw.jsonl", longest=10))
    assert (caught.value.code, caught.value.message) == (Code.NOT_JSONL, "raw.jsonl: line 2 is longer than 10 bytes")


@settings(deadline=None)
@given(content=st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line)), ended=st.booleans())
def test_nothing_is_lost_between_the_lines(content: list[bytes], ended: bool) -> None:
    stream = io.BytesIO(b"\n".join(content) + b"\n" * ended)
    assert dict(jsonl.read(stream)) == {
        number: line.rstrip(b"\r") for number, line in enumerate(content, 1) if line.strip(b" \t\n\r\x0b\f")
    }


@pytest.mark.parametrize(
    ("content", "lines"), [(b"", 0), (b"\n", 1), (b"a\nb\n", 2), (b"a\ntorn", 2), (b"x" * 3_000_000 + b"\ntorn", 2)]
)
def test_an_incomplete_last_line_counts(tmp_path: Path, content: bytes, lines: int) -> None:
    (tmp_path / "f").write_bytes(content)
    assert jsonl.count(str(tmp_path / "f")) == lines
