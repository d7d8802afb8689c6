"""A record that hangs, recurses, takes too much memory or kills its worker is rejected alone."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.authoring import examples
from lorchestra.components.canonizer.authoring.checks import schemas
from lorchestra.components.canonizer.record.requests import Check, Chunk, Order
from lorchestra.components.canonizer.workers import limits
from lorchestra.components.canonizer.workers.pool import Pool
from tests.components.canonizer.harness import CAN, ENGINES, NOTE, RAW, Registry, can, needs_jsonatapy, rows

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


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", BOMBS)
def test_only_the_record_that_exceeds_a_limit_is_rejected(case: str, engine: str, tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("spec", "lines", "output"),
    [
        ('n = 1 ? ($f := function($x) { $f($x) }; $f(1)) : {"n": n}', LINES, b'{"n":0}\n{"n":0}\n'),
        (
            '{"hit": $contains(a, /^(a+)+$/)}',
            b'{"a":"a"}\n{"a":"' + b"a" * 50 + b'!"}\n{"a":"a"}\n',
            b'{"hit":true}\n{"hit":true}\n',
        ),
    ],
    ids=["an endless loop", "a catastrophic regular expression"],
)
def test_a_record_that_takes_too_long_in_the_default_engine_is_rejected(
    spec: str, lines: bytes, output: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = Registry(tmp_path).flat(spec)
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    with contextlib.closing(Pool()) as pool:
        pool.prepare(Order(str(meta)))
        [(_, converted)] = pool.convert(iter([Chunk(1, lines)]))
    assert converted.output == output
    assert [(reject.line, reject.rule) for reject in converted.rejects] == [(2, "time_limit")]


@needs_jsonatapy
@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "(.*)*x"])
def test_a_catastrophic_regex_takes_linear_time_in_jsonatapy(pattern: str, tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat(f'{{"hit": $contains(a, /{pattern}/)}}', engine="jsonatapy")
    done = can("transform", "run", "--meta", meta, stdin=b'{"a":"' + b"a" * 50_000 + b'!"}\n', timeout=300)
    assert rows(done.stdout) == [{"hit": False}]


def test_a_catastrophic_pattern_in_a_schema_rejects_the_record(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    meta = registry.flat("$")
    registry.schema("iglu:com.example/raw/jsonschema/1-0-0", {"properties": {"a": {"pattern": "^(a+)+(?!b)$"}}})
    done = can("transform", "run", "--meta", meta, stdin=b'{"a":"' + b"a" * 40 + b'!"}\n{"a":"a"}\n', timeout=300)
    assert done.returncode == 0
    assert rows(done.stdout) == [{"a": "a"}]
    assert b"schema_in:" in done.stderr


def test_compiling_a_transform_has_a_time_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = Registry(tmp_path).flat(f"[{'1,' * 500_000}1]")
    monkeypatch.setattr(limits, "SECONDS", 0.01)
    with contextlib.closing(Pool()) as pool, pytest.raises(Failure) as caught:
        pool.prepare(Order(str(meta)))
    assert (caught.value.code, "more time or memory than a worker may use" in caught.value.message) == (
        Code.TRANSFORM_INVALID,
        True,
    )


U = "iglu:com.example/hostile/jsonschema/1-0-0"


def doubling(levels: int) -> dict[str, Any]:
    """A schema of a few kilobytes that asks for 2^levels checks of each record."""
    definitions: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**definitions, f"d{levels}": {}}, "$ref": "#/$defs/d0"}


def nested(levels: int) -> dict[str, Any]:
    """A schema nested as deep as schemas may be."""
    document: dict[str, Any] = {}
    for _ in range(levels):
        document = {"allOf": [document]}
    return document


MANY = {"properties": {f"p{n}": {"type": "string"} for n in range(100_000)}}


def test_a_schema_that_takes_too_long_to_check_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(tmp_path)
    paths = [registry.schema(RAW, {"type": 5}), registry.schema(U, MANY), registry.schema(NOTE, {"type": 5})]
    monkeypatch.setattr(limits, "SECONDS", 0.2)
    found = [
        (finding.file, finding.rule) for finding in schemas.check(paths, tmp_path / "schemas", [tmp_path / "schemas"])
    ]
    assert found == list(zip(paths, ["schema_invalid", "schema_limit", "schema_invalid"], strict=True))


def test_checking_schemas_has_a_memory_limit() -> None:
    with pytest.raises(Failure) as caught:
        schemas.judged(lambda: len(bytearray(2 * limits.MEMORY)))
    assert (caught.value.code, "memory" in caught.value.message) == (Code.SCHEMA_INVALID, True)


@pytest.mark.parametrize(
    "line", [b"{%s}" % b",".join(b'"%d":1' % key for key in range(1_000_000)), b"[%s]" % b",".join([b"[]"] * 2_000_000)]
)
def test_a_record_that_exceeds_memory_while_parsed_is_rejected(
    line: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MEMORY", 64 * 1024 * 1024)
    with contextlib.closing(Pool()) as pool:
        pool.prepare(Order(str(Registry(tmp_path).flat("$"))))
        [(_, converted)] = pool.convert(iter([Chunk(1, b'{"a":1}\n%s\n{"a":2}\n' % line)]))
    assert converted.output == b'{"a":1}\n{"a":2}\n'
    [reject] = converted.rejects
    assert reject.line == 2
    assert reject.rule in ("memory_limit", "crash")  # native code may break down where it gets nothing


@pytest.mark.parametrize(
    "document", [nested(95), doubling(40), {"properties": {"a": {"pattern": "((a{100}){100}){9}"}}}]
)
def test_a_hostile_schema_ends_no_command(document: dict[str, Any], tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.flat("$")
    registry.schema(U, document)
    registry.schema(U[:-1] + "1", {**document, "title": "x"})
    validated = can("registry", "validate", "--registry", tmp_path)
    assert (validated.returncode, validated.stderr) == (4, b"")
    assert can("registry", "diff", U, U[:-1] + "1", "--registry", tmp_path).returncode == 0


def test_comparing_schemas_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.1)
    with pytest.raises(Failure) as caught:
        schemas.judged(lambda: max(itertools.count()))
    assert caught.value.code is Code.SCHEMA_INVALID


def test_a_check_that_does_not_end_rejects_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "doubling.json"
    file.write_text(json.dumps(doubling(40)))
    monkeypatch.setattr(limits, "SECONDS", 0.3)
    with contextlib.closing(Pool()) as pool:
        pool.prepare(Check(str(file), (str(tmp_path),)))
        [(_, converted)] = pool.convert(iter([Chunk(1, b'{"a":1}\n{"a":2}\n')]))
    assert [(reject.line, reject.rule) for reject in converted.rejects] == [(1, "time_limit"), (2, "time_limit")]


def test_making_an_example_for_a_catastrophic_pattern_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.2)
    slow = {"type": "string", "pattern": "^(x+)+y$", "minLength": 40}
    with pytest.raises(Failure) as caught:
        schemas.judged(lambda: examples.of({"type": "object", "required": ["a"], "properties": {"a": slow}}))
    assert "more time or memory than a worker may use" in caught.value.message


@pytest.mark.parametrize("limit", ["-v 40000", "-v 60000", "-d 30000"])
@pytest.mark.parametrize("command", [("transform", "run", "--meta"), ("validate", "run", "--schema")])
def test_too_little_memory_is_reported(limit: str, command: tuple[str, ...], tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat("$")
    subject = meta if command[0] == "transform" else tmp_path / "schemas" / RAW.removeprefix("iglu:")
    done = subprocess.run(
        ["bash", "-c", f'ulimit {limit}; exec "$@"', "bash", CAN, *command, subject],
        input=b"{}\n", capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (75, b"")
    assert b"not enough memory" in done.stderr
    assert b"ulimit -v" in done.stderr


def test_a_worker_that_cannot_start_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more_processes() -> int:
        raise BlockingIOError(errno.EAGAIN, "")

    monkeypatch.setattr(os, "fork", no_more_processes)  # a limit of processes does not hold for root
    before = os.listdir("/proc/self/fd")
    with contextlib.closing(Pool()) as pool, pytest.raises(Failure) as caught:
        pool.prepare(Order(str(tmp_path)))
    assert (caught.value.code, "cannot be started" in caught.value.message) == (Code.TRY_LATER, True)
    assert os.listdir("/proc/self/fd") == before


def test_an_address_space_of_100_mb_is_enough(tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat("$")
    limited: list[str | Path] = [
        "bash",
        "-c",
        'ulimit -v 100000; exec "$@"',
        "bash",
        CAN,
        "transform",
        "run",
        "--meta",
        meta,
    ]
    done = subprocess.run(limited, input=b'{"a":1}\n', capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b'{"a":1}\n')


def test_an_input_that_changes_during_the_run_is_reported(tmp_path: Path) -> None:
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
