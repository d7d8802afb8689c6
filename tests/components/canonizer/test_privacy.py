"""A token in every place of a record reaches output and rejects, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.components.canonizer.house import NOTE, RAW, Registry, can

TOKEN = "CANARY7731"
SPECS = {
    "a key, by the schema": ("$", {"additionalProperties": False}),
    "a value, by the schema": ("$", {"additionalProperties": {"const": 1}}),
    "a property's name, by the schema": ("$", {"propertyNames": {"maxLength": 3}}),
    "one of several, by the schema": ("$", {"oneOf": [{"required": ["x"]}, {"additionalProperties": {"enum": [1]}}]}),
    "$error": ("$error(*)", {}),
    "$number": ("$number(*)", {}),
    "$toMillis": ("$toMillis(*)", {}),
    "$eval": ("$eval(*)", {}),
    "$parseInteger": ('$parseInteger(*, "x")', {}),
    "$formatNumber": ("$formatNumber(1, *)", {}),
    "$fromMillis": ("$fromMillis(1, *)", {}),
    "$match": ("$match(5, *)", {}),
    "a call": ("(*)()", {}),
    "arithmetic": ("* + 1", {}),
    "a sort": ("[*, 1]^($)", {}),
}
LINES = [
    json.dumps({f"{TOKEN}key": f"{TOKEN} text"}),
    f'{{"a":"{TOKEN}","a":1}}',
    f'{{"a":"{TOKEN}\\ud800"}}',
    f'{{"a":"{TOKEN}","b":1e999}}',
]


@pytest.mark.parametrize("engine", ["jsonatapy", "jlens"])
@pytest.mark.parametrize("case", SPECS)
def test_no_word_of_a_record_leaves_its_files(case: str, engine: str, tmp_path: Path) -> None:
    spec, schema = SPECS[case]
    registry = Registry(tmp_path / "registry")
    registry.schema(RAW, schema if case.endswith("schema") else {})
    registry.schema(NOTE, {"type": "object", "additionalProperties": False})
    meta, rejects, report = registry.flat(spec), tmp_path / "rejects", tmp_path / "report"
    arguments = ("transform", "run", "--meta", meta, "--engine", engine, "--report", report)
    stdin = "\n".join(LINES).encode()
    done = can(*arguments, "--rejects", rejects, stdin=stdin)
    assert done.returncode == 0
    assert rejects.read_text().count(TOKEN) >= len(LINES)
    strict = can(*arguments, "--no-skip-invalid", stdin=stdin)
    assert strict.returncode == 7
    torn = can(*arguments, stdin=f'{{"{TOKEN}":'.encode())
    assert torn.returncode == 3
    checked = can("validate", "run", "--schema", RAW, "--schemas", registry.root / "schemas", stdin=stdin)
    for told in (done.stderr, strict.stderr, torn.stderr, checked.stdout, checked.stderr, report.read_bytes()):
        assert TOKEN.encode() not in told
