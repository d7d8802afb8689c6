"""JSONata: expressions as authors write them, and the test suite of the reference implementation.

`expressions.json` holds one document, expressions on it, and what the reference (npm package jsonata 2.2.2) returned
for each: `result`, an error `code`, or neither for undefined. The reference's own test suite is in no package of a
registry; `--suite DIR` names its directory `test/test-suite` in a copy of the source.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.components.canonizer.authoring.differences import differences
from lorchestra.components.canonizer.record.engines import Engine, EvaluationFault, SyntaxFault
from lorchestra.components.canonizer.workers.child import Bounded, Died

_EXPRESSIONS = Path(__file__).with_name("expressions.json")


class Case(NamedTuple):
    """An expression, the JSON text of its input (`null` for none), and the outcome of the reference."""

    source: str
    document: str
    expected: dict[str, Any]


class Score(NamedTuple):
    """How many outcomes are those of the reference, have only another error code, or differ (these as sources)."""

    equal: int
    other_code: int
    different: list[str]

    def __str__(self) -> str:
        total = self.equal + self.other_code + len(self.different)
        return f"{self.equal} of {total} ({self.other_code} with another error code, {len(self.different)} differ)"


def expressions() -> list[Case]:
    """The expressions that authors write."""
    sample = json.loads(_EXPRESSIONS.read_bytes())
    document = json.dumps(sample["document"])
    return [Case(case.pop("source"), document, case) for case in sample["cases"]]


def suite(root: Path) -> Iterator[Case]:
    """The cases of the reference's test suite."""
    datasets = {path.stem: json.loads(path.read_bytes()) for path in (root / "datasets").glob("*.json")}
    for path in sorted((root / "groups").glob("*/*.json")):
        content = json.loads(path.read_bytes())
        for case in content if isinstance(content, list) else [content]:
            source = case.get("expr")
            if source is None:
                source = (path.parent / case["expr-file"]).read_text()
            bound = "".join(f"${name} := {json.dumps(value)}; " for name, value in case.get("bindings", {}).items())
            name = case.get("dataset")
            data = datasets[name] if name else case.get("data")
            yield Case(f"( {bound}{source} )" if bound else source, json.dumps(data), _outcome(case))


def score(engine: Engine, cases: Iterable[Case]) -> Score:
    """Compare an engine with the reference; each expression is evaluated in the time and memory of one record."""
    listed = list(cases)
    equal, other_code, different = 0, 0, []
    with closing(Bounded(lambda number: _evaluated(engine, listed[number]))) as evaluated:
        for number, case in enumerate(listed):
            try:
                found = evaluated(number)
            except Died as died:
                found = {"code": died.rule}
            if _agree(case.expected, found):
                equal += 1
            elif "code" in case.expected and "code" in found:
                other_code += 1
            else:
                different.append(case.source)
    return Score(equal, other_code, different)


def _evaluated(engine: Engine, case: Case) -> dict[str, Any]:
    try:
        text = engine.compile(case.source, {})(case.document)
    except SyntaxFault as fault:
        return {"code": fault.code}
    except EvaluationFault as fault:
        return {"code": fault.rule}
    except UnicodeEncodeError:  # half of a surrogate pair: a spec in a file has none
        return {"code": "not Unicode"}
    return {} if text is None else {"result": json.loads(text)}


def _outcome(case: dict[str, Any]) -> dict[str, Any]:
    if "result" in case:
        return {"result": case["result"]}
    if code := case.get("code") or case.get("error", {}).get("code"):
        return {"code": code}
    return {}


def _agree(expected: dict[str, Any], found: dict[str, Any]) -> bool:
    return expected.keys() == found.keys() and not any(differences(expected, found))
