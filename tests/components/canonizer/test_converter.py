"""Odd input has a decided outcome: each row of the table in docs/canonizer.md, through the real program."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.components.canonizer.harness import ENGINES, NOTE, PASS_ON, Registry, can, rows

GOOD = b'{"a":"good"}\n'
DEEP = b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"

REJECTED = {
    "10,000 nested levels": (DEEP, "parse:too_deep"),
    "101 nested levels": (b"[" * 101 + b"]" * 101, "parse:too_deep"),
    "half a surrogate pair": (rb'{"a":"\ud800"}', "parse:lone_surrogate"),
    "half a pair before a letter": (rb'{"a":"\ud800\u0041"}', "parse:lone_surrogate"),
    "a duplicate key": (b'{"a":1,"a":2}', "parse:duplicate_key"),
    "a duplicate key in a nested object": (
        b'{"b":[{"a":1,"\\u0061":2}],"c":"\\u0022\\u0022"}',
        "parse:duplicate_key",
    ),
    "1e400": (b'{"a":1e400}', "parse:number_range"),
}
ACCEPTED = {
    "NUL, escaped": (rb'{"a":"x\u0000y"}', {"a": "x\0y"}),
    "a whole surrogate pair": (rb'{"a":"\ud83d\ude00"}', {"a": "\U0001f600"}),
    "U+2028 inside a text": ('{"a":"x\u2028y"}'.encode(), {"a": "x\u2028y"}),
    "100 nested levels": (b'{"a":' + b"[" * 99 + b"]" * 99 + b"}", None),
    "a carriage return before the line's end": (b'{"a":"x"}\r', {"a": "x"}),
    "spaces": (b'  { "a" :\t"x" }  ', {"a": "x"}),
    "1e-400, which is nought": (b'{"a":1e-400}', {"a": 0}),
}
NOT_JSON = {
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "a NUL byte": b'{"a":"x\x00y"}',
    "a line of NUL bytes, as a crash leaves them": b"\x00" * 40,
    "a tab inside a text": b'{"a":"x\ty"}',
    "bytes that are not UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a torn line": b'{"a":"x',
    "two values": b'{"a":1} {"a":2}',
    "a byte order mark inside the file": b'\xef\xbb\xbf{"a":1}',
    "a leading nought": b'{"a":01}',
    "single quotes": b"{'a':1}",
}


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    return Registry(tmp_path / "registry").flat(PASS_ON)


@pytest.mark.parametrize("case", REJECTED)
def test_unusual_input_is_rejected_and_the_next_record_is_processed(case: str, meta: Path, tmp_path: Path) -> None:
    line, reason = REJECTED[case]
    rejects = tmp_path / "rejects.jsonl"
    done = can("transform", "run", "--meta", meta, "--rejects", rejects, stdin=GOOD + line + b"\n" + GOOD)
    assert done.returncode == 0
    assert done.stdout == GOOD * 2
    [told] = rows(rejects.read_bytes())
    assert f"{told['stage']}:{told['rule']}" == reason
    assert told["line"] == 2
    assert told["record"] == line.decode()
    assert reason in done.stderr.decode()


@pytest.mark.parametrize("case", ACCEPTED)
@pytest.mark.parametrize("engine", ENGINES)
def test_is_accepted(case: str, engine: str, meta: Path) -> None:
    line, value = ACCEPTED[case]
    done = can("transform", "run", "--meta", meta, "--engine", engine, stdin=line + b"\n" + GOOD)
    assert (done.returncode, done.stderr) == (0, b"")
    first, second = rows(done.stdout)
    assert second == {"a": "good"}
    assert value is None or first == value


@pytest.mark.parametrize("case", NOT_JSON)
def test_ends_the_file_naming_the_line(case: str, meta: Path, tmp_path: Path) -> None:
    output = tmp_path / "output.jsonl"
    done = can(
        "transform", "run", "--meta", meta, "--output", output, stdin=GOOD + b"\n" + NOT_JSON[case] + b"\n" + GOOD
    )
    assert done.returncode == 3
    assert b"stdin: line 3 is not JSON" in done.stderr
    assert not output.exists()


def test_a_byte_order_mark_at_the_beginning_is_skipped(meta: Path) -> None:
    done = can("transform", "run", "--meta", meta, stdin=b"\xef\xbb\xbf" + GOOD)
    assert (done.returncode, done.stdout) == (0, GOOD)


def test_blank_lines_count_as_lines_and_are_no_records(meta: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = can("transform", "run", "--meta", meta, "--report", report, stdin=b"\n \n" + GOOD + b"\r\n\n")
    assert (done.returncode, done.stdout) == (0, GOOD)
    assert json.loads(report.read_bytes())["records_in"] == 1


def test_an_empty_input_gives_an_empty_output(meta: Path) -> None:
    done = can("transform", "run", "--meta", meta)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_integers_beyond_2_to_the_53_pass_and_are_counted(meta: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    lines = [
        b'{"a":9007199254740992}',  # the last one that is exact
        b'{"a":9007199254740993}',
        b'{"a":[-123456789012345678901234567890]}',
        b'{"a":"9007199254740993"}',
        b'{"a":9007199254740993.5}',
    ]
    done = can("transform", "run", "--meta", meta, "--report", report, stdin=b"\n".join(lines))
    assert len(rows(done.stdout)) == 5
    assert json.loads(report.read_bytes())["inexact_integers"] == 2
    assert b"2 with integers beyond 2^53" in done.stderr


def test_a_line_of_100_mb_is_refused_in_bounded_memory(meta: Path, tmp_path: Path) -> None:
    big = tmp_path / "big.jsonl"
    with big.open("wb") as file:
        file.write(GOOD + b'{"a":"')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n')
    done = can("transform", "run", "--meta", meta, "--input", big, "--output", tmp_path / "output.jsonl")
    assert done.returncode == 3
    assert re.search(rb"big.jsonl: line 2 is longer than \d+ bytes", done.stderr)


def test_a_line_of_30_mb_passes(meta: Path) -> None:
    line = b'{"a":"' + b"x" * 30_000_000 + b'"}\n'
    done = can("transform", "run", "--meta", meta, stdin=line)
    assert (done.returncode, done.stdout) == (0, line)


MANY = {
    "type": "array",
    "minItems": 2,
    "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_array_schema_validates_all_records_of_one_record_together(engine: str, tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    meta = registry.flat("parts.{'id': $}", engine=engine)
    registry.schema(NOTE, MANY)
    lines = [{"parts": ["a", "b"]}, {"parts": ["only"]}, {"parts": ["c", 5]}, {"parts": ["d", "e", "f"]}, {}]
    rejects = tmp_path / "rejects"
    stdin = "\n".join(map(json.dumps, lines)).encode()
    done = can("transform", "run", "--meta", meta, "--rejects", rejects, stdin=stdin)
    assert [row["id"] for row in rows(done.stdout)] == ["a", "b", "d", "e", "f"]
    assert [(row["line"], row["rule"], row["schema_path"]) for row in rows(rejects.read_bytes())] == [
        (2, "minItems", "/minItems"),
        (3, "type", "/items/properties/id/type"),
    ]
    assert b"1 dropped" in done.stderr


def test_a_rejected_record_names_the_place_in_the_spec_and_no_value(tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat('{\n  "id": $isoDate(at),\n  "n": $number(secret)\n}')
    rejects = tmp_path / "rejects"
    done = can("transform", "run", "--meta", meta, "--rejects", rejects, stdin=b'{"secret":"SECRET"}')
    assert rows(rejects.read_bytes())[0]["spec_place"] == "3:8 $number"
    assert b"1 transform:D3030 at 3:8 $number" in done.stderr
    assert b"SECRET" not in done.stderr
