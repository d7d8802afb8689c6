"""The contract of an engine behind the port, held by each adapter."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import pytest

from lorchestra.base.errors import Failure
from lorchestra.components.canonizer.record import engines
from lorchestra.components.canonizer.record.engines import EvaluationFault, SyntaxFault

ENGINES = [engines.load("jsonatapy"), engines.load("jlens")]
pytestmark = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.NAME)


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


@pytest.mark.parametrize("source", ["{", "a b", "", "(", "$f(", '"x'])
def test_a_bad_source_is_a_syntax_fault(engine: engines.Engine, source: str) -> None:
    with pytest.raises(SyntaxFault) as caught:
        engine.compile(source, {})
    assert caught.value.__context__ is None


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
def test_a_fault_has_a_rule_and_no_word_of_the_record(engine: engines.Engine, source: str, rule: str) -> None:
    def host(value: Any) -> Any:
        raise ValueError(value)

    evaluate = engine.compile(source, {"host": host})
    with pytest.raises(EvaluationFault) as caught:
        evaluate('{"a":"SECRET"}')
    assert caught.value.rule == rule
    assert caught.value.__context__ is None
    assert "SECRET" not in repr(caught.value)
    assert evaluate is not None


def test_host_functions_get_plain_values_and_give_them(engine: engines.Engine) -> None:
    seen: list[Any] = []

    def note(*values: Any) -> Any:
        seen.append(values)
        return {"k": [1, "x", None, True]}

    evaluate = engine.compile("$note(a, b, missing)", {"note": note})
    assert json.loads(evaluate('{"a":{"x":[1.5,null]},"b":"é"}') or "") == {"k": [1, "x", None, True]}
    assert seen == [({"x": [1.5, None]}, "é", None)]


def test_an_expression_serves_many_records(engine: engines.Engine) -> None:
    evaluate = engine.compile("n * 2", {})
    assert [evaluate(f'{{"n":{n}}}') for n in range(200)] == [str(n * 2) for n in range(200)]


def test_it_says_its_version(engine: engines.Engine) -> None:
    assert engine.version()[0].isdigit()


def test_an_engine_that_is_not_installed_is_told(engine: engines.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"lorchestra.components.canonizer.record.engines.{engine.NAME}", None)
    with pytest.raises(Failure, match="not installed"):
        engines.load(engine.NAME)
