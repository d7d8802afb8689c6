"""A token in every place of a record reaches output and rejects, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.components.canonizer.harness import ENGINES, NOTE, RAW, Registry, can

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
STDIN = "\n".join(LINES).encode()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", SPECS)
def test_no_text_of_a_record_leaves_its_files(case: str, engine: str, tmp_path: Path) -> None:
    spec, schema = SPECS[case]
    registry = Registry(tmp_path / "registry")
    registry.schema(RAW, schema)
    registry.schema(NOTE, {"type": "object", "additionalProperties": False})
    meta, rejects, report = registry.flat(spec), tmp_path / "rejects", tmp_path / "report"
    arguments = ("--meta", meta, "--engine", engine, "--report", report, "--rejects", rejects)
    done = can("transform", "run", *arguments, stdin=STDIN)
    assert done.returncode == 0
    assert rejects.read_text().count(TOKEN) >= len(LINES)
    assert TOKEN.encode() not in done.stdout + done.stderr + report.read_bytes()


@pytest.mark.parametrize("schema", [schema for _, schema in SPECS.values() if schema])
def test_no_text_of_a_record_is_in_the_error_that_ends_a_run(schema: dict[str, object], tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.schema(RAW, schema)
    meta = registry.flat("$")
    strict = can("transform", "run", "--meta", meta, "--no-skip-invalid", stdin=STDIN)
    torn = can("transform", "run", "--meta", meta, stdin=f'{{"{TOKEN}":'.encode())
    checked = can("validate", "run", "--schema", RAW, "--schemas", tmp_path / "schemas", stdin=STDIN)
    assert (strict.returncode, torn.returncode, checked.returncode) == (7, 3, 7)
    for done in (strict, torn, checked):
        assert TOKEN.encode() not in done.stdout + done.stderr
