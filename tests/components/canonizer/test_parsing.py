"""Lines and chunks: nothing lost, nothing understood in two ways."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorchestra.components.canonizer.record.parsing import parse
from lorchestra.components.canonizer.record.requests import Chunk
from lorchestra.components.canonizer.record.rules import NotJson, Rejected
from lorchestra.components.canonizer.workers import chunks

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
LIKE_JSON = st.text(alphabet='{}[]":,\\u0229eE+-.019abntf \ttrunlse').map(str.encode) | st.binary(max_size=20)


def beyond(value: Any) -> bool:
    """The plain definition that the fast check has to agree with."""
    if isinstance(value, dict):
        return any(map(beyond, value.values()))
    if isinstance(value, list):
        return any(map(beyond, value))
    return isinstance(value, int) and abs(value) > 2**53


def has_duplicates(text: bytes) -> bool:
    found: list[bool] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        found.append(len(dict(pairs)) < len(pairs))

    json.loads(text, object_pairs_hook=note)
    return any(found)


def standard(line: bytes) -> Any:
    """The line as the standard library reads it, its extensions apart; large integers as doubles."""
    return json.loads(line.decode(), parse_constant=int, parse_int=orjson.loads)


@settings(deadline=None, max_examples=300)
@given(value=VALUES, ascii_only=st.booleans(), spaced=st.booleans())
def test_valid_json_is_parsed_and_large_integers_are_found(value: Any, ascii_only: bool, spaced: bool) -> None:
    separators = (", ", ": ") if spaced else (",", ":")
    line = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode("utf-8", "replace")
    document, inexact = parse(line)
    assert document == standard(line)
    assert inexact == beyond(json.loads(line))


@settings(deadline=None, max_examples=500)
@given(line=LIKE_JSON)
def test_a_line_is_parsed_like_the_standard_library_or_rejected(line: bytes) -> None:
    try:
        document, _ = parse(line)
    except NotJson:
        with pytest.raises((ValueError, RecursionError)):
            standard(line)
    except Rejected as rejected:
        standard(line)
        assert has_duplicates(line) == (rejected.rule == "duplicate_key")
    else:
        assert document == standard(line)


@settings(deadline=None, max_examples=300)
@given(keys=st.lists(st.sampled_from(["a", "b", '"', "\\", "é", "\u2028", ""]), max_size=5), escaped=st.booleans())
def test_a_duplicate_key_is_found_in_every_spelling(keys: list[str], escaped: bool) -> None:
    def written(key: str) -> str:
        return '"' + "".join(f"\\u{ord(c):04x}" for c in key) + '"' if escaped else json.dumps(key, ensure_ascii=False)

    line = ("{" + ",".join(f'{written(key)}:"{n}\\""' for n, key in enumerate(keys)) + "}").encode()
    try:
        parse(line)
    except Rejected as rejected:
        assert rejected.rule == "duplicate_key"
        assert len(set(keys)) < len(keys)
    else:
        assert len(set(keys)) == len(keys)


def test_reading_a_long_line_byte_by_byte_takes_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "SIZE", 1)
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 200_000)
        file.seek(0)
        started = time.process_time()
        assert list(chunks.cut(file.fileno(), "x")) == [Chunk(1, b"x" * 200_000)]
        assert time.process_time() - started < 5  # the sum of all lengths so far, taken anew each time, takes minutes


@settings(deadline=None, max_examples=200)
@given(
    lines=st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"x")), max_size=30), size=st.integers(1, 40)
)
def test_chunks_are_the_file_cut_at_line_ends(lines: list[bytes], size: int) -> None:
    content = b"\n".join(lines)
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    normal, chunks.SIZE = chunks.SIZE, size
    seen: list[bytes] = []
    try:
        cut = list(chunks.cut(reading, "x", seen.append))
    finally:
        chunks.SIZE = normal
        os.close(reading)
    assert b"".join(seen) == content
    assert b"".join(chunk.lines for chunk in cut) == content.removeprefix(b"\xef\xbb\xbf")
    number = 1
    for chunk in cut:
        assert chunk.first == number
        assert chunk is cut[-1] or chunk.lines.endswith(b"\n")
        number += chunk.lines.count(b"\n")


def test_a_sample_of_more_than_there_is_is_everything() -> None:
    source = iter([Chunk(1, b"1\n\n3\n"), Chunk(4, b"4\n")])
    assert list(chunks.sample(source, 10)) == [Chunk(1, b"1"), Chunk(3, b"3"), Chunk(4, b"4")]


def test_a_document_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lorchestra.base.errors import Failure

    path = tmp_path / "x.json"
    path.write_bytes(b'{"a":\n"' + b"x" * 100 + b'"}')
    monkeypatch.setattr(chunks, "LONGEST_LINE", 50)
    with chunks.opened(str(path)) as descriptor, pytest.raises(Failure, match="longer than 50 bytes"):
        list(chunks.document(descriptor, "x.json"))
