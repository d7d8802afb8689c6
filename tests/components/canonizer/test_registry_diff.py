"""`can registry diff`: additions, revisions and new models, by a truth table and by the program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from lorchestra.components.canonizer.authoring.evolution import Step, changes, next_version, step
from tests.components.canonizer.harness import Registry, can

CLOSED: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "maxLength": 10},
        "kind": {"enum": ["a", "b"]},
        "size": {"$ref": "#/$defs/size"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "$defs": {"size": {"type": "integer", "minimum": 0}},
    "x-key": ["id"],
}


def changed(path: str, value: Any, base: dict[str, Any] = CLOSED) -> dict[str, Any]:
    """The schema with one place exchanged; None removes it."""
    document: dict[str, Any] = json.loads(json.dumps(base))
    *parents, last = path.split("/")
    place = document
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("title", "A title", Step.ADDITION),
        ("x-text", ["id"], Step.ADDITION),
        ("x-key", ["kind"], Step.MODEL),
        ("properties/new", {"type": "string"}, Step.ADDITION),
        ("properties/kind", None, Step.REVISION),
        ("properties/id", None, Step.MODEL),
        ("properties/id/maxLength", 20, Step.ADDITION),
        ("properties/id/maxLength", 5, Step.REVISION),
        ("properties/id/maxLength", None, Step.ADDITION),
        ("properties/id/minLength", 1, Step.REVISION),
        ("properties/id/pattern", "^a", Step.REVISION),
        ("properties/id/type", ["string", "null"], Step.ADDITION),
        ("properties/id/type", "integer", Step.MODEL),
        ("properties/tags/type", "string", Step.REVISION),
        ("properties/tags/items", {"type": ["string", "integer"]}, Step.ADDITION),
        ("properties/tags/items", {"type": "integer"}, Step.REVISION),
        ("properties/tags/items", None, Step.ADDITION),
        ("properties/kind", {"enum": ["a", "b", "c"]}, Step.ADDITION),
        ("properties/kind", {"enum": ["a"]}, Step.REVISION),
        ("properties/kind", {"const": "b"}, Step.REVISION),
        ("properties/kind", {}, Step.ADDITION),
        ("properties/kind", False, Step.REVISION),
        ("properties/kind", True, Step.ADDITION),
        ("$defs/size", {"type": "number", "minimum": 0}, Step.ADDITION),
        ("$defs/size/minimum", 5, Step.REVISION),
        ("$defs/size/minimum", -5, Step.ADDITION),
        ("required", ["id", "kind"], Step.REVISION),
        ("required", [], Step.ADDITION),
        ("additionalProperties", True, Step.ADDITION),
        ("allOf", [{}], Step.REVISION),
        ("properties/tags/items", [{"type": "string"}], Step.REVISION),
    ],
)
def test_changes_are_classified(path: str, value: Any, expected: Step) -> None:
    assert step(changes(CLOSED, changed(path, value))) is expected


SCALARS = st.sampled_from([None, True, False, 0, 1, 1.0, 3, 7, "", "a", "bb"])
LEAVES = st.one_of(
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", "number", ["string", "null"], ["integer", "boolean"]]),
            "enum": st.lists(SCALARS, min_size=1, max_size=3, unique_by=repr),
            "minimum": st.integers(0, 7),
            "maximum": st.integers(0, 7),
            "maxLength": st.integers(0, 2),
        },
    ),
)
OBJECTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["object", ["object", "null"]])},
    optional={
        "properties": st.dictionaries(st.sampled_from("ab"), LEAVES),
        "required": st.lists(st.sampled_from("abc"), unique=True),
        "additionalProperties": LEAVES,
    },
)
RECORDS = st.one_of(st.none(), st.dictionaries(st.sampled_from("abc"), SCALARS))


@settings(deadline=None, max_examples=150)
@given(OBJECTS, OBJECTS, st.lists(RECORDS, min_size=5, max_size=20))
def test_the_verdict_is_true_of_records(old: dict[str, Any], new: dict[str, Any], records: list[Any]) -> None:
    """After an addition each record that was valid still is; after a new model none is."""
    before, after = Draft202012Validator(old), Draft202012Validator(new)
    still = [after.is_valid(record) for record in records if before.is_valid(record)]
    verdict = step(changes(old, new))
    if verdict in (Step.NONE, Step.ADDITION):
        assert all(still)
    if verdict is Step.MODEL:
        assert not any(still)


def test_a_new_required_property_of_a_closed_schema_is_a_new_model() -> None:
    new = changed("required", ["id", "new"], changed("properties/new", {"type": "string"}))
    assert step(changes(CLOSED, new)) is Step.MODEL


def test_a_new_property_of_an_open_schema_is_a_revision() -> None:
    open_schema = changed("additionalProperties", None)
    assert step(changes(open_schema, changed("properties/new", {}, open_schema))) is Step.REVISION
    assert step(changes(open_schema, CLOSED)) is Step.REVISION


def test_the_schema_field_follows_the_version_without_being_a_change() -> None:
    old = changed("properties/schema", {"const": "iglu:v/n/jsonschema/1-0-0"})
    assert not changes(old, changed("properties/schema", {"const": "iglu:v/n/jsonschema/1-0-1"}, old))


def test_a_schema_that_contains_itself_ends() -> None:
    tree = {
        "$ref": "#/$defs/t",
        "$defs": {"t": {"properties": {"a": {"$ref": "#/$defs/t"}, "b": {"$ref": "#/$defs/t"}}}},
    }
    other = changed("$defs/t/type", "object", tree)
    assert step(changes(tree, other)) is Step.REVISION


@pytest.mark.parametrize(
    ("taken", "version"),
    [(Step.NONE, "1-2-3"), (Step.ADDITION, "1-2-4"), (Step.REVISION, "1-3-0"), (Step.MODEL, "2-0-0")],
)
def test_the_version_that_follows(taken: Step, version: str) -> None:
    assert next_version("1-2-3", taken) == version


def test_two_versions_are_compared_and_a_wrong_version_is_reported(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.schema("iglu:org.canonical/note/jsonschema/1-0-0", CLOSED)
    registry.schema("iglu:org.canonical/note/jsonschema/1-0-1", changed("properties/id/maxLength", 5))
    uris = [f"iglu:org.canonical/note/jsonschema/1-0-{addition}" for addition in (0, 1)]
    done = can("registry", "diff", "--registry", tmp_path, *uris)
    assert done.returncode == 0
    told = done.stdout.decode()
    assert told.startswith("a revision")
    assert "/properties/id/maxLength: 10 -> 5" in told
    assert "the version does not match the change: 1-0-0 -> 1-0-1; expected 1-1-0" in told


def test_files_are_compared_and_a_right_version_is_not_mentioned(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps({**CLOSED, "self": {"version": "1-0-0"}}))
    new.write_text(json.dumps({**changed("properties/new", {}), "self": {"version": "1-0-1"}}))
    done = can("registry", "diff", old, new)
    assert done.stdout.decode() == (
        "an addition: every record that was valid still is\n  addition  /properties/new: a new property\n"
    )
    assert can("registry", "diff", old, old).stdout == b"no change\n"


def test_files_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "odd.json").write_text('{"required": 5}')
    assert can("registry", "diff", tmp_path / "odd.json", tmp_path / "odd.json").returncode == 4
    assert can("registry", "diff", tmp_path / "list.json", tmp_path / "list.json").returncode == 4
    assert can("registry", "diff", tmp_path / "none.json", tmp_path / "list.json").returncode == 2
    missing = "iglu:v/n/jsonschema/1-0-0"
    assert can("registry", "diff", "--registry", tmp_path, missing, missing).returncode == 4
    assert can("registry", "diff", "--registry", tmp_path, "iglu:v/n", missing).returncode == 2
    odd = can("registry", "diff", "\udcff", "\udcff")
    assert (odd.returncode, odd.stderr.splitlines()[0]) == (2, b"can: \\udcff: no such file")
