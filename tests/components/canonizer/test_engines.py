"""The contract of an engine behind the port, held by each adapter."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Failure
from lorchestra.components.canonizer.record import engines
from lorchestra.components.canonizer.record.engines import EvaluationFault, SyntaxFault
from tests.components.canonizer.harness import CAN, Registry

ENGINES = [engines.load(name) for name in engines.installed()]
each_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.NAME)


@each_engine
@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ("a", '{"a":null}', "null"),
        ("b", '{"a":null}', None),
        ('{"x": b, "y": a}', '{"a":null}', '{"y":null}'),
        ('{"z": 1, "a": 2}', "1", '{"z":1,"a":2}'),
        ("a", '{"a":"\\u0000é\\u2028"}', json.dumps("\0é\u2028", ensure_ascii=False)),
        ("$", "9007199254740993", "9007199254740992"),
        ("[a]", '{"a":1}', "[1]"),
        ("a.b", '{"a":[{"b":1},{"b":2}]}', "[1,2]"),
        ("$boolean([])", "1", "false"),
        ("$base64decode(a)", json.dumps({"a": base64.b64encode(b"plain").decode()}), '"plain"'),
    ],
)
def test_json_text_in_json_text_out(engine: engines.Engine, source: str, value: str, expected: str | None) -> None:
    assert engine.compile(source, {})(value) == expected


@each_engine
@pytest.mark.parametrize("source", ["{", "a b", "", "(", "$f(", '"x'])
def test_a_bad_source_is_a_syntax_fault(engine: engines.Engine, source: str) -> None:
    with pytest.raises(SyntaxFault):
        engine.compile(source, {})


@each_engine
@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("$number(a)", "D3030"),
        ("a + 1", "T2001"),
        ("$error(a)", "D3137"),
        ("$assert(false, a)", "D3141"),
        ("$nowhere(a)", "T1006"),
        ("[1..1e9]", "D2014"),
        ("($f := function($x) { 1 + $f($x) }; $f(1))", "depth_limit"),
        ("$host(a)", "evaluation"),
    ],
)
def test_a_fault_has_a_rule_and_no_text_of_the_record(engine: engines.Engine, source: str, rule: str) -> None:
    def host(value: Any) -> Any:
        raise ValueError(value)

    evaluate = engine.compile(source, {"host": host})
    with pytest.raises(EvaluationFault) as caught:
        evaluate('{"a":"SECRET"}')
    assert caught.value.rule == rule
    assert "SECRET" not in repr(caught.value)
    assert evaluate is not None


@each_engine
def test_host_functions_get_plain_values_and_give_them(engine: engines.Engine) -> None:
    seen: list[Any] = []

    def note(*values: Any) -> Any:
        seen.append(values)
        return {"k": [1, "x", None, True]}

    evaluate = engine.compile("$note(a, b, missing)", {"note": note})
    assert json.loads(evaluate('{"a":{"x":[1.5,null]},"b":"é"}') or "") == {"k": [1, "x", None, True]}
    assert seen == [({"x": [1.5, None]}, "é", None)]


@each_engine
def test_an_expression_serves_many_records(engine: engines.Engine) -> None:
    evaluate = engine.compile("n * 2", {})
    assert [evaluate(f'{{"n":{n}}}') for n in range(200)] == [str(n * 2) for n in range(200)]


@each_engine
def test_it_says_its_version(engine: engines.Engine) -> None:
    assert engine.version()[0].isdigit()


@each_engine
def test_an_engine_that_is_not_installed_is_reported(engine: engines.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"lorchestra.components.canonizer.record.engines.{engine.NAME}", None)
    with pytest.raises(Failure, match="not installed"):
        engines.load(engine.NAME)


def test_the_default_engine_says_where_a_source_is_wrong_and_where_an_evaluation_failed() -> None:
    default = engines.load(engines.DEFAULT)
    with pytest.raises(SyntaxFault) as syntax:
        default.compile("{'é': a,\n 'b': ]}", {})
    assert (syntax.value.code, syntax.value.position) == ("S0211", 15)
    for source, position in (("'é😀' & $number(a)", 8), ("1 + a", 2), ("a.($f := function($x) {$x + 1}; $f($))", 26)):
        with pytest.raises(EvaluationFault) as failed:
            default.compile(source, {})('{"a": "x"}')
        assert failed.value.position == position


@each_engine
def test_every_engine_gives_the_code_of_a_syntax_error(engine: engines.Engine) -> None:
    with pytest.raises(SyntaxFault) as caught:
        engine.compile("a b", {})
    assert caught.value.code == "S0201"


EXTERNAL = """
NAME = "echo"

def version():
    return "1.0"

def compile(source, functions):
    return lambda text: '{"echo":' + text + "}"
"""


def test_an_engine_of_another_package_runs_transforms(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    (packages / "echo_engine-1.0.dist-info").mkdir(parents=True)
    (packages / "echo_engine.py").write_text(EXTERNAL)
    (packages / "echo_engine-1.0.dist-info" / "METADATA").write_text("Name: echo-engine\nVersion: 1.0\n")
    (packages / "echo_engine-1.0.dist-info" / "entry_points.txt").write_text(
        "[lorchestra.engines]\necho = echo_engine\n"
    )
    meta = Registry(tmp_path).flat("$", engine="echo")
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    run = [str(CAN), "transform", "run", "--meta", str(meta)]
    done = subprocess.run(run, input=b'{"a":1}\n', capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (0, b'{"echo":{"a":1}}\n')
    without = subprocess.run(run, input=b"", capture_output=True, check=False)
    assert without.returncode == 2
    assert f"{meta}:1:".encode() in without.stderr
    assert b"engine: unknown engine 'echo'" in without.stderr


def test_built_in_engines_are_found_without_a_search_for_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: pytest.fail("read the entry points"))
    assert engines.load(engines.DEFAULT).NAME == engines.DEFAULT
    assert {engine.NAME for engine in ENGINES} <= set(engines.BUILT_IN)
