"""`can schema new`: schemas from samples, without a value of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from lorchestra.components.canonizer.authoring import inference
from tests.components.canonizer.harness import can

EVENTS = [
    {"id": "SECRET-1", "n": 1, "start": {"date": "SECRET"}, "tags": ["SECRET"], "gone": None},
    {"id": "SECRET-2", "n": 1.5, "start": None, "tags": [], "extra": True},
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(records=st.lists(st.dictionaries(st.text(), JSON, max_size=5), min_size=1, max_size=5))
def test_the_samples_match_both_kinds_of_schema(records: list[dict[str, Any]]) -> None:
    shape = inference.shape_of(records)
    for schema in (inference.open_schema(shape), inference.closed_schema(shape)):
        Draft202012Validator.check_schema(schema)
        for record in records:
            Draft202012Validator(schema).validate(record)


def test_keys_that_are_data_do_not_become_names_of_properties() -> None:
    many = [{"by_id": {f"person-{n}-{k}": {"age": k} for k in range(30)}} for n in range(4)]
    schema = inference.open_schema(inference.shape_of(many))
    assert "person" not in json.dumps(schema)
    assert schema["properties"]["by_id"]["additionalProperties"]["properties"]["age"] == {"type": ["integer", "null"]}


def new(root: Path, *options: str | Path, samples: Any = EVENTS, name: str = "com.example/event") -> Any:
    (root / "transforms").mkdir(exist_ok=True)
    (root / "samples").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    where = ("--registry", root / "transforms", "--from-sample", root / "samples", "--yes")
    return can("schema", "new", name, *where, *options)


def written(root: Path, name: str = "com.example/event/jsonschema/1-0-0.json") -> Any:
    return json.loads((root / "transforms" / "schemas" / name).read_text())


def test_the_schema_of_a_source_requires_its_key_and_accepts_nulls_and_unknown_properties(tmp_path: Path) -> None:
    done = new(tmp_path, "--key", "id")
    assert (done.returncode, done.stderr) == (0, b"")
    schema = written(tmp_path)
    assert schema["required"] == ["id"]
    assert schema["properties"]["n"] == {"type": ["null", "number"]}
    assert schema["properties"]["gone"] == {}
    assert "additionalProperties" not in schema
    assert "SECRET" not in json.dumps(schema) + done.stdout.decode()
    assert can("registry", "validate", "--registry", tmp_path / "transforms", "--strict").returncode == 0


def test_a_canonical_schema_is_closed_and_names_its_fields(tmp_path: Path) -> None:
    done = new(tmp_path, "--canonical", "--key", "id", "--title", "id", "--text", "id", name="org.example/thing")
    assert done.returncode == 0
    schema = written(tmp_path, "org.example/thing/jsonschema/1-0-0.json")
    assert schema["required"] == ["id", "n", "start", "tags", "schema"]
    assert schema["additionalProperties"] is False
    assert (schema["x-key"], schema["x-title"], schema["x-text"]) == (["id"], "id", ["id"])
    assert can("registry", "validate", "--registry", tmp_path / "transforms", "--strict").returncode == 0


@pytest.mark.parametrize("text", ['[{"id": 1}, {"id": 2}]', '{\n "id": 1\n}'])
def test_samples_may_be_one_json_document(text: str, tmp_path: Path) -> None:
    new(tmp_path)
    (tmp_path / "samples").write_text(text)
    options = ("--registry", tmp_path / "transforms", "--from-sample", tmp_path / "samples", "--yes", "--key", "id")
    assert can("schema", "new", "com.example/other", *options).returncode == 0
    assert written(tmp_path, "com.example/other/jsonschema/1-0-0.json")["properties"]["id"]["type"] == [
        "integer",
        "null",
    ]


@pytest.mark.parametrize(
    ("options", "samples", "status", "message"),
    [
        (["--key", "none"], EVENTS, 2, "no sample has the property 'none'"),
        (["--key", "extra"], EVENTS, 2, "not every sample has the key 'extra'"),
        ([], [], 3, "no records"),
        ([], ["text"], 3, "record 1 is not a JSON object"),
    ],
)
def test_samples_that_cannot_be_used_are_refused(
    options: list[str], samples: list[Any], status: int, message: str, tmp_path: Path
) -> None:
    done = new(tmp_path, *options, samples=samples)
    assert (done.returncode, message in done.stderr.decode()) == (status, True), done.stderr
    assert not (tmp_path / "transforms" / "schemas").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    assert new(tmp_path).returncode == 0
    assert new(tmp_path).returncode == 2


def test_private_samples_are_refused_without_confirmation(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "transforms").mkdir()
    sample = tmp_path / "private" / "sample"
    sample.write_text('{"id": 1}')
    done = can("schema", "new", "com.example/event", "--registry", tmp_path / "transforms", "--from-sample", sample)
    assert (done.returncode, b"--yes" in done.stderr) == (2, True)
