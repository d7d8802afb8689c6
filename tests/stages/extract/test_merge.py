"""Several files become one: nothing lost, nothing twice, the last version of a record wins."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorchestra.base.errors import Code, Failure
from lorchestra.stages.extract.merge import Merge


def file(tmp_path: Path, name: str, content: bytes | list[object]) -> Path:
    path = tmp_path / name
    if isinstance(content, list):
        content = b"".join(json.dumps(record).encode() + b"\n" for record in content)
    path.write_bytes(content)
    return path


def written(merge: Merge) -> bytes:
    out = io.BytesIO()
    merge.write(out)
    return out.getvalue()


def test_the_last_version_wins_at_the_place_of_the_first(tmp_path: Path) -> None:
    with Merge(("id",)) as merge:
        merge.add(file(tmp_path, "a", [{"id": "1", "v": 1}, {"id": "2", "v": 1}]))
        merge.mark_baseline()
        merge.add(file(tmp_path, "b", [{"id": "1", "v": 2}, {"id": "3", "v": 1}, {"id": "2", "v": 1}]))
        assert (len(merge), merge.new, merge.replaced) == (3, 2, 1)
        records = [json.loads(line) for line in written(merge).splitlines()]
    assert records == [{"id": "1", "v": 2}, {"id": "2", "v": 1}, {"id": "3", "v": 1}]


@pytest.mark.parametrize(
    ("key", "records", "kept"),
    [
        ((), [{"id": 7, "n": "a"}, {"id": 7, "n": "b"}, {"id": 8, "n": "c"}], 3),
        ((), [{"contactid": "c", "n": 1}, {"contactid": "c", "n": 2}], 2),
        (("id",), [{"contactid": "c", "n": 1}, {"contactid": "c", "n": 2}], 2),
        (("id",), [{"id": "\ud800", "n": 1}, {"id": "x", "n": 2}], 2),
        ((), [{"id": "x", "contactid": "c"}, {"id": "y", "contactid": "c"}], 2),
        ((), [{"id": 1}, {"id": "1"}], 2),
        ((), [{"n": 1}, {"n": 2}, {"n": 1}], 2),
        (("id",), [{"id": None, "n": 1}, {"id": None, "n": 2}], 2),
        (("id",), [{"id": "", "n": 1}, {"id": "", "n": 2}], 2),
        (("id",), [{"id": True, "n": 1}, {"id": True, "n": 2}], 2),
        (("id",), [{"id": ["not", "an", "id"], "n": 1}, {"id": ["not", "an", "id"], "n": 2}], 2),
        (("a", "b"), [{"a": 1, "b": 1, "n": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1, "n": 2}], 2),
        (("a", "b"), [{"a": "1,", "b": "2"}, {"a": "1", "b": ",2"}], 2),
        (("a",), [{"id": "1", "n": 1}, {"id": "1", "n": 2}], 2),
    ],
)
def test_what_identifies_a_record(tmp_path: Path, key: tuple[str, ...], records: list[object], kept: int) -> None:
    with Merge(key) as merge:
        merge.add(file(tmp_path, "a", records))
        assert len(merge) == kept


def test_a_torn_last_line_is_cut_only_if_the_writer_failed(tmp_path: Path) -> None:
    torn = file(tmp_path, "gmail", b'{"id": "1"}\n{"id": "2", "subject": "SECRET')
    with Merge() as merge:
        merge.add(torn, finished=False)
        assert (len(merge), merge.torn) == (1, 1)
        assert written(merge) == b'{"id": "1"}\n'
    with Merge() as merge, pytest.raises(Failure) as caught:
        merge.add(torn)
    assert caught.value.code is Code.NOT_JSONL
    assert caught.value.message == "gmail: line 2 is not a JSON object"


def test_a_complete_last_line_without_a_newline_is_kept(tmp_path: Path) -> None:
    with Merge() as merge:
        merge.add(file(tmp_path, "a", b'{"id": "1"}\n{"id": "2"}'), finished=False)
        assert (len(merge), merge.torn) == (2, 0)
        assert written(merge) == b'{"id": "1"}\n{"id": "2"}\n'


def test_a_bad_line_in_the_middle_is_never_cut(tmp_path: Path) -> None:
    with Merge() as merge, pytest.raises(Failure, match="line 2"):
        merge.add(file(tmp_path, "a", b'{"id": "1"}\n{"id": \n{"id": "2"}\n'), finished=False)


@pytest.mark.parametrize(
    "line", [b"1", b'"text"', b"[]", b"null", b"{", b"}{", b"{'id': 1}", b"<html>", b"\x00", b'{"a":1}{"b":2}', b"{,}"]
)
def test_a_line_that_is_not_an_object_is_refused_without_quoting_it(tmp_path: Path, line: bytes) -> None:
    with Merge() as merge, pytest.raises(Failure) as caught:
        merge.add(file(tmp_path, "a", b'{"id": "1"}\n' + line + b"\n"))
    assert caught.value.message == "a: line 2 is not a JSON object"
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": "1", "n": NaN}',
        b'{"id": "1", "n": 1e999}',
        b'{"id": "1", "n": ' + b"9" * 5000 + b"}",
        b'{"id": "1", "s": "\\ud800"}',
        b'{"id": "1", "s": "\xff\xfe"}',
        b'{"id": "1", "d": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"id": "1", "id": "2"}',
        '{"id": "1", "s": "\u2028\u0085"}'.encode(),
    ],
)
def test_an_odd_record_is_kept_byte_for_byte_for_the_canonizer_to_judge(tmp_path: Path, line: bytes) -> None:
    with Merge() as merge:
        merge.add(file(tmp_path, "a", line + b"\n"))
        assert written(merge) == line + b"\n"


def test_byte_order_marks_carriage_returns_and_blank_lines_are_removed(tmp_path: Path) -> None:
    with Merge() as merge:
        merge.add(file(tmp_path, "a", b'\xef\xbb\xbf{"id": "1"}\r\n\r\n  \n{"id": "2"}\r\n'))
        assert written(merge) == b'{"id": "1"}\n{"id": "2"}\n'


def test_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file(tmp_path, "a", [{"id": 1}]))
    os.mkfifo(tmp_path / "pipe")
    with Merge() as merge, pytest.raises(OSError, match="symbolic"):
        merge.add(tmp_path / "link")
    with Merge() as merge, pytest.raises(Failure, match="plain file"):
        merge.add(tmp_path / "pipe")


RECORD = st.fixed_dictionaries({"id": st.integers(0, 9), "v": st.integers(0, 2)})


@settings(deadline=None, max_examples=200)
@given(before=st.lists(RECORD), parts=st.lists(st.lists(RECORD), max_size=4), cut=st.integers(0, 15))
def test_a_merge_equals_that_of_a_dict(
    tmp_path_factory: pytest.TempPathFactory, before: list[object], parts: list[list[object]], cut: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("merge")
    expected: dict[int, object] = {}
    with Merge(("id",)) as merge:
        merge.add(file(tmp_path, "before", before))
        expected |= {record["id"]: record for record in before}  # type: ignore[index]
        first = dict(expected)
        merge.mark_baseline()
        for number, part in enumerate(parts):
            path = file(tmp_path, str(number), part)
            if number == len(parts) - 1 and part and cut:  # the last writer was killed within its last line
                whole = path.read_bytes()
                path.write_bytes(whole[: -min(cut, len(json.dumps(part[-1])))])
                part = part if cut == 1 else part[:-1]
            merge.add(path, finished=False)
            expected |= {record["id"]: record for record in part}  # type: ignore[index]
        assert [json.loads(line) for line in written(merge).splitlines()] == list(expected.values())
        if not merge.replaced:
            assert merge.new == len(expected.keys() - first.keys())
