"""The engines agree with the reference implementation, except where docs/conformance.md says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checks.conformance import jsonata
from lorchestra.components.canonizer.record import engines

PAGE = (Path(__file__).parents[3] / "docs" / "conformance.md").read_text("utf-8")


@pytest.mark.parametrize("name", engines.installed())
def test_differences_from_the_reference_are_documented(name: str) -> None:
    section = PAGE.partition(f"### Differences of {name}\n")[2].partition("\n#")[0]
    documented = re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)
    engine = engines.load(name)
    score = jsonata.score(engine, jsonata.expressions())
    assert sorted(score.different) == sorted(documented)
    assert f"| {name} {engine.version()} | {score} | " in PAGE


def test_the_reference_suite_is_read_with_datasets_bindings_and_errors(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "groups" / "g").mkdir(parents=True)
    (tmp_path / "datasets" / "d.json").write_text('{"a": 1}')
    (tmp_path / "groups" / "g" / "case0.json").write_text(
        '[{"expr": "a + $b", "dataset": "d", "bindings": {"b": 2}, "result": 3},'
        ' {"expr": "a + 1", "data": {"a": "x"}, "code": "T2001"},'
        ' {"expr": "c", "dataset": "d", "undefinedResult": true}, {"expr": "a", "dataset": "d", "result": 2}]'
    )
    score = jsonata.score(engines.load(engines.DEFAULT), jsonata.suite(tmp_path))
    assert score == (3, 0, ["a"])
