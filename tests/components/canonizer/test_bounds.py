"""A record can hurt nobody: what hangs, recurses, swells or kills is set aside alone."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer import worker
from lorchestra.components.canonizer.frames import Order
from lorchestra.components.canonizer.pool import Pool
from tests.components.canonizer.house import CAN, Registry, can, rows

LINES = b'{"n":0}\n{"n":1}\n{"n":0}\n'
BOMBS = {
    "endless recursion": ("($f := function($x) { 1 + $f($x) }; $f(1))", {"transform:depth_limit"}),
    "a range of 10^8": ("$count([1..100000000])", {"transform:D2014"}),
    "a range of 9,000,000": ("$count([1..9000000])", {"transform:size_limit"}),
    "padding of 10^10": ('$pad("x", 10000000000)', {"transform:memory_limit", "transform:D2016"}),
    "a text that doubles": (
        '($f := function($s) { $f($s & $s) }; $f("xxxxxxxx"))',
        {"transform:memory_limit", "transform:size_limit"},
    ),
    "an error with a value in its text": ("$error(secret)", {"transform:D3137"}),
    "a number out of text": ("$number(secret)", {"transform:D3030"}),
    "arithmetic on text": ('"a" + 1', {"transform:T2001"}),
    "a result that is no object": ("5", {"transform:not_an_object"}),
    "an array of other things": ('[{"a": 1}, 5]', {"transform:not_an_object"}),
    "a result nested deeper than the validator goes": (
        '($f := function($n) { $n = 0 ? 0 : {"a": $f($n - 1)} }; $f(300))',
        {"schema_out:uncheckable", "transform:depth_limit", "transform:unwritable"},
    ),
    "null": ("null", {"transform:not_an_object"}),
}


@pytest.mark.parametrize("engine", ["jsonatapy", "jlens"])
@pytest.mark.parametrize("case", BOMBS)
def test_a_bomb_costs_its_record_alone(case: str, engine: str, tmp_path: Path) -> None:
    bomb, reasons = BOMBS[case]
    meta = Registry(tmp_path).flat(f'n = 1 ? ({bomb}) : {{"n": n}}', engine=engine)
    rejects = tmp_path / "rejects.jsonl"
    stdin = LINES.replace(b'"n":1', b'"n":1,"secret":"HIDDEN"')
    done = can("transform", "run", "--meta", meta, "--rejects", rejects, stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b'{"n":0}\n{"n":0}\n'
    [told] = rows(rejects.read_bytes())
    assert f"{told['stage']}:{told['rule']}" in reasons
    assert told["line"] == 2
    assert b"HIDDEN" not in done.stderr
    assert "HIDDEN" in str(told["record"])


def test_an_endless_loop_meets_the_time_limit(tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat('n = 1 ? ($f := function($x) { $f($x) }; $f(1)) : {"n": n}')
    done = can("transform", "run", "--meta", meta, stdin=LINES, timeout=30)
    assert done.stdout == b'{"n":0}\n{"n":0}\n'
    assert b"1 transform:time_limit" in done.stderr


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "(.*)*x"])
def test_a_catastrophic_regex_is_linear_in_the_default_engine(pattern: str, tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat(f'{{"hit": $contains(a, /{pattern}/)}}')
    done = can("transform", "run", "--meta", meta, stdin=b'{"a":"' + b"a" * 50_000 + b'!"}\n', timeout=30)
    assert rows(done.stdout) == [{"hit": False}]


def test_a_catastrophic_regex_meets_the_time_limit_of_the_other_engine(tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat('{"hit": $contains(a, /^(a+)+$/)}', engine="jlens")
    done = can("transform", "run", "--meta", meta, stdin=b'{"a":"' + b"a" * 50 + b'!"}\n{"a":"a"}\n', timeout=30)
    assert rows(done.stdout) == [{"hit": True}]
    assert b"transform:time_limit" in done.stderr


def test_a_catastrophic_pattern_in_a_schema_sets_the_record_aside(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    meta = registry.flat("$")
    registry.schema("iglu:com.example/raw/jsonschema/1-0-0", {"properties": {"a": {"pattern": "^(a+)+(?!b)$"}}})
    done = can("transform", "run", "--meta", meta, stdin=b'{"a":"' + b"a" * 40 + b'!"}\n{"a":"a"}\n', timeout=30)
    assert done.returncode == 0
    assert rows(done.stdout) == [{"a": "a"}]
    assert b"schema_in:" in done.stderr


def test_compiling_a_transform_has_a_time_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = Registry(tmp_path).flat(f"[{'1,' * 500_000}1]")
    monkeypatch.setattr(worker, "RECORD_SECONDS", 0.01)
    with contextlib.closing(Pool()) as pool, pytest.raises(Failure) as caught:
        pool.prepare(Order(str(meta)))
    assert (caught.value.code, "more than a worker may have" in caught.value.what) == (Code.TRANSFORM_INVALID, True)


def test_an_input_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat("$")
    raw = tmp_path / "raw.jsonl"
    raw.write_bytes(b'{"pad":"%s"}\n' % (b"x" * 1000) * 2000)
    with subprocess.Popen(
        [CAN, "transform", "run", "--meta", meta, "--input", raw], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout and child.stderr
        child.stdout.read(1)  # it has begun, and the pipe does not hold the rest
        with raw.open("ab") as file:
            file.write(b"{}\n")
        child.stdout.read()
        assert f"{raw}: changed while it was read" in child.stderr.read().decode()
    assert child.returncode == 75


def test_many_killers_cost_their_records_alone_with_several_processes(tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat('n % 100 = 50 ? $pad("x", 10000000000) : {"n": n}')
    lines = b"".join(b'{"n":%d,"pad":"%s"}\n' % (n, b"x" * 3000) for n in range(400))
    rejects = tmp_path / "rejects.jsonl"
    done = can("transform", "run", "--meta", meta, "--jobs", "2", "--rejects", rejects, stdin=lines)
    assert [row["n"] for row in rows(done.stdout)] == [n for n in range(400) if n % 100 != 50]
    assert [row["line"] for row in rows(rejects.read_bytes())] == [51, 151, 251, 351]
