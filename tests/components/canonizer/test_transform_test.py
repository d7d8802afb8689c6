"""`can transform test`: golden tests pass, or the differences are reported path by path, for one engine or all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.components.canonizer.harness import NOTE, Registry, can, needs_jsonatapy


def registry(root: Path, spec: str, cases: dict[str, tuple[Any, Any]]) -> Registry:
    """One flat transform whose goldens lie in tests/{name}/, unnamed by its metadata."""
    made = Registry(root)
    tests = made.flat(spec).parent / "tests" / "raw_to_note_v1"
    tests.mkdir(parents=True)
    for name, (given, wanted) in cases.items():
        (tests / f"{name}.input.json").write_text(json.dumps(given, indent=2))
        (tests / f"{name}.output.json").write_text(json.dumps(wanted, indent=2))
    return made


def test_a_record_may_become_one_several_or_no_records(tmp_path: Path) -> None:
    spec = '$exists(parts) ? parts.{"id": $} : $exists(id) ? {"id": id} : ()'
    cases = {
        "one": ({"id": "1"}, {"id": "1"}),
        "several": ({"parts": ["a", "b"]}, [{"id": "a"}, {"id": "b"}]),
        "none": ({}, []),
    }
    registry(tmp_path, spec, cases)
    done = can("transform", "test", "--registry", tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "note/raw_to_note_v1: 3 of 3" in done.stdout.decode()


def test_a_failing_golden_test_is_reported_path_by_path(tmp_path: Path) -> None:
    registry(tmp_path, '{"id": id, "list": [1, 2]}', {"a": ({"id": "1"}, {"id": "2", "list": [1], "more": None})})
    done = can("transform", "test", "--registry", tmp_path, "note/raw_to_note_v1")
    assert done.returncode == 4
    assert done.stdout.decode().splitlines() == [
        "note/raw_to_note_v1: 0 of 1",
        '  a: /id: expected "2", found "1"',
        "  a: /list/1: expected nothing, found 2",
        "  a: /more: expected null, found nothing",
        "transforms: 1, golden tests: 1, failed: 1",
    ]


def test_cases_of_one_name_in_two_directories_are_two(tmp_path: Path) -> None:
    pairs = [{"input": f"tests/{place}/a.input.json", "expect": f"tests/{place}/a.output.json"} for place in "xy"]
    tests = Registry(tmp_path).flat('{"id": id}', tests=pairs).parent / "tests"
    for place, wanted in (("x", "wrong"), ("y", "1")):
        (tests / place).mkdir(parents=True)
        (tests / place / "a.input.json").write_text('{"id": "1"}')
        (tests / place / "a.output.json").write_text(json.dumps({"id": wanted}))
    done = can("transform", "test", "--registry", tmp_path)
    assert done.returncode == 4
    assert "golden tests: 2, failed: 1" in done.stdout.decode()


def test_goldens_with_a_byte_order_mark_pass(tmp_path: Path) -> None:
    registry(tmp_path, '{"id": id}', {"a": ({"id": "1"}, {"id": "1"})})
    for path in tmp_path.rglob("a.*.json"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert can("transform", "test", "--registry", tmp_path).returncode == 0
    assert can("registry", "validate", "--registry", tmp_path).returncode == 0
    [given] = tmp_path.rglob("a.input.json")
    tried = can("transform", "try", "note/raw_to_note_v1", "--registry", tmp_path, "--input", given, "--yes")
    assert tried.stdout.count(b'"id": "1"') == 2


def test_a_rejected_golden_says_the_stage_and_the_rule(tmp_path: Path) -> None:
    made = registry(tmp_path, '{"id": id}', {"a": ({"id": 1}, {"id": 1})})
    made.schema(NOTE, {"properties": {"id": {"type": "string"}}})
    done = can("transform", "test", "--registry", tmp_path)
    assert done.returncode == 4
    assert "  a: rejected: schema_out: type at /properties/id/type" in done.stdout.decode()


@pytest.mark.parametrize("broken", ["{", "", "\xff"])
def test_a_golden_that_is_not_json_is_a_fault_of_that_case_alone(broken: str, tmp_path: Path) -> None:
    registry(tmp_path, "$", {"a": ({}, {}), "b": ({}, {}), "c": ({}, {})})
    tests = tmp_path / "note" / "tests" / "raw_to_note_v1"
    (tests / "b.input.json").write_bytes(broken.encode("latin-1"))
    (tests / "c.output.json").write_bytes(broken.encode("latin-1"))
    done = can("transform", "test", "--registry", tmp_path)
    assert done.returncode == 4
    assert "1 of 3" in done.stdout.decode()
    assert "not JSON" in done.stdout.decode()


@needs_jsonatapy
def test_all_engines_are_compared(tmp_path: Path) -> None:
    registry(tmp_path, '{"id": id}', {"a": ({"id": "1"}, {"id": "1"})})
    agreeing = can("transform", "test", "--registry", tmp_path, "--engine", "all")
    assert (agreeing.returncode, agreeing.stderr) == (0, b"")
    # Where engines trim differs: the language's $trim leaves a no-break space alone.
    (tmp_path / "note" / "raw_to_note_v1.jsonata").write_text('{"id": $trim(id)}')
    tests = tmp_path / "note" / "tests" / "raw_to_note_v1"
    (tests / "a.input.json").write_text(json.dumps({"id": "1\u00a0"}))
    differing = can("transform", "test", "--registry", tmp_path, "--engine", "all")
    told = differing.stdout.decode()
    assert differing.returncode == 4
    assert "a: the engines give different results" in told
    assert "jlens: /id" in told
    assert "jsonatapy: passes" in told


def test_an_edited_spec_is_tested_before_its_checksum_is_written(tmp_path: Path) -> None:
    registry(tmp_path, '{"id": id}', {"a": ({"id": "1"}, {"id": "1"})})
    with open(tmp_path / "note" / "raw_to_note_v1.jsonata", "a") as file:
        file.write("\n")
    assert can("transform", "test", "--registry", tmp_path).returncode == 0


def test_a_transform_that_cannot_be_run_fails_alone(tmp_path: Path) -> None:
    made = registry(tmp_path, '{"id": id}', {"a": ({"id": "1"}, {"id": "1"})})
    made.flat("{ 'id': ", "note/broken")
    done = can("transform", "test", "--registry", tmp_path)
    assert done.returncode == 4
    assert "note/broken: cannot run: " in done.stdout.decode()
    assert "note/raw_to_note_v1: 1 of 1" in done.stdout.decode()


def test_a_transform_without_goldens_says_so(tmp_path: Path) -> None:
    Registry(tmp_path).flat("$")
    done = can("transform", "test", "--registry", tmp_path)
    assert done.returncode == 0
    assert "no golden tests" in done.stdout.decode()


def test_a_spec_that_never_ends_fails_its_golden(tmp_path: Path) -> None:
    registry(tmp_path, "($f := function($n) { $f($n + 1) + 1 }; $f(1))", {"a": ({}, {})})
    done = can("transform", "test", "--registry", tmp_path)
    assert done.returncode == 4
    assert "rejected: transform: " in done.stdout.decode()


def test_wrong_names_are_refused(tmp_path: Path) -> None:
    Registry(tmp_path).flat("$")
    assert can("transform", "test", "--registry", tmp_path, "../../etc").returncode == 2
    assert can("transform", "test", "--registry", tmp_path, "note/none").returncode == 4
    assert can("transform", "test", "--registry", tmp_path / "none").returncode == 2
    (tmp_path / "empty").mkdir()
    assert can("transform", "test", "--registry", tmp_path / "empty").returncode == 4
