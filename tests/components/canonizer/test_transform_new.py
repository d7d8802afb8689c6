"""`can transform new`: a skeleton that passes `can transform test` and `can registry validate` as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Failure
from lorchestra.components.canonizer.authoring import examples
from tests.components.canonizer.harness import NOTE, RAW, Registry, can

BUNDLED = Path(__file__).parents[3] / "transforms"
SOURCES = sorted(
    path.parts[-4] + "/" + path.parts[-3] for path in BUNDLED.glob("schemas/com.*/*/jsonschema/1-0-0.json")
)


@pytest.fixture
def bundled(tmp_path: Path) -> Path:
    """A registry with the bundled schemas and no transforms."""
    shutil.copytree(BUNDLED / "schemas", tmp_path / "transforms" / "schemas")
    return tmp_path / "transforms"


def new(registry: Path, name: str, before: str = RAW, after: str = NOTE, *options: str | Path) -> Any:
    return can("transform", "new", name, "--from", before, "--to", after, "--registry", registry, *options)


def test_a_skeleton_for_each_pair_of_bundled_schemas_works_as_it_is(bundled: Path) -> None:
    canonical = ("email", "contact", "clinical_session", "form_response")
    for number, source in enumerate(SOURCES):
        after = f"iglu:org.canonical/{canonical[number % 4]}/jsonschema/1-0-0"
        done = new(bundled, f"tried/number_{number}", f"iglu:{source}/jsonschema/1-0-0", after)
        assert done.returncode == 0, done.stderr
        assert f"tried/number_{number}.jsonata" in done.stdout.decode()
    tested = can("transform", "test", "--registry", bundled)
    assert tested.returncode == 0
    assert f"golden tests: {len(SOURCES)}, failed: 0" in tested.stdout.decode()
    assert can("registry", "validate", "--registry", bundled).returncode == 0


def test_properties_of_the_same_name_are_taken_over_and_others_are_marked(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    text = {"type": "string"}
    registry.schema(RAW, {"required": ["id", "odd name"], "properties": {"id": text, "odd name": text, "x*/y": text}})
    registry.schema(
        NOTE, {"required": ["id", "odd name", "day"], "properties": {"day": {"type": "string", "format": "date"}}}
    )
    assert new(tmp_path, "note/fresh").returncode == 0
    assert json.loads((tmp_path / "note/tests/fresh/example.output.json").read_text()) == {
        "id": "example",
        "odd name": "example",
        "day": "2025-11-12",
    }
    spec = (tmp_path / "note/fresh.jsonata").read_text()
    assert '"id": id' in spec
    assert "to do: from where?" in spec


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat("$")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = new(tmp_path, "note/raw_to_note_v1")
    assert done.returncode == 2
    assert "exists already" in done.stderr.decode()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert meta in before


def test_an_example_that_does_not_pass_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.schema(RAW, {"required": ["id"], "properties": {"id": {"type": "string", "pattern": "^Z{7}$"}}})
    registry.schema(NOTE, {"type": "object"})
    done = new(tmp_path, "note/fresh")
    assert done.returncode == 4
    assert "cannot generate an example for /id" in done.stderr.decode()
    assert "--example" in done.stderr.decode()
    example = tmp_path / "example.json"
    example.write_text('{"id": "wrong"}')
    assert new(tmp_path, "note/fresh", RAW, NOTE, "--yes", "--example", example).returncode == 4
    assert not (tmp_path / "note").exists()
    example.write_text('{\n "id": "ZZZZZZZ"\n}')
    assert new(tmp_path, "note/fresh", RAW, NOTE, "--yes", "--example", example).returncode == 0
    assert can("transform", "test", "--registry", tmp_path).returncode == 0


def test_an_example_from_a_private_directory_does_not_slip_into_a_registry(tmp_path: Path) -> None:
    Registry(tmp_path / "transforms").flat("$")
    private = tmp_path / "phi"
    private.mkdir(mode=0o700)
    (private / "record.json").write_text("{}")
    done = new(tmp_path / "transforms", "note/fresh", RAW, NOTE, "--example", private / "record.json")
    assert done.returncode == 2
    assert "private directory" in done.stderr.decode()
    assert not (tmp_path / "transforms/note/fresh.jsonata").exists()
    missing = new(tmp_path / "transforms", "note/fresh", RAW, NOTE, "--example", private / "none.json")
    assert missing.returncode == 2


@pytest.mark.parametrize("name", ["../etc/passwd", "email/é", "email/x@1.0.0", "a//b", ""])
def test_names_that_are_none_are_refused(name: str, tmp_path: Path) -> None:
    assert new(tmp_path, name).returncode == 2
    assert not list(tmp_path.iterdir())


def test_missing_schemas_and_registries_are_refused(tmp_path: Path) -> None:
    assert new(tmp_path, "note/fresh").returncode == 4
    assert new(tmp_path, "note/fresh", "no uri").returncode == 2
    assert new(tmp_path / "none", "note/fresh").returncode == 2


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({}, "example"),
        ({"const": 5}, 5),
        ({"enum": ["b", "a"]}, "b"),
        ({"default": {"a": 1}}, {"a": 1}),
        ({"type": ["null", "integer"], "minimum": 7}, 7),
        ({"type": "number", "exclusiveMinimum": 2}, 3),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer"}, 1),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": "string", "minLength": 100}, "x" * 100),
        ({"type": "string", "format": "email"}, "someone@example.org"),
        ({"type": "array", "minItems": 2, "items": {"type": "boolean"}}, [False, False]),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 1),
        ({"allOf": [{"type": "object"}, {"required": ["a"]}]}, {"a": "example"}),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 1}}}, 1),
    ],
)
def test_examples_of_schemas(schema: dict[str, Any], example: Any) -> None:
    assert examples.of(schema) == example


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/none"},
        {"$ref": "iglu:v/n/jsonschema/1-0-0"},
        {"required": ["a"], "properties": {"a": {"$ref": "#"}}},
        {"type": "string", "maxLength": 0, "minLength": 1},
        {"type": "string", "minLength": 10**12},
        {"type": "string", "pattern": "^\\p{Lu}"},
        {"type": "array", "minItems": 10**12},
    ],
)
def test_a_schema_without_a_known_example_is_reported(schema: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="cannot generate an example"):
        examples.of(schema)
