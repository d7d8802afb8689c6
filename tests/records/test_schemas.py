"""Schemas of arrays and of their elements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lorchestra.records.iglu import Schema, SchemaKey, SchemaRegistry
from lorchestra.records.schemas import compiled, element_of, is_array

KEY = SchemaKey("org.example", "part", "jsonschema", 1, 0, 0)
PART = {"type": "object", "required": ["id"], "properties": {"id": {"$ref": "#/definitions/id"}}}
DEFINITIONS = {"id": {"type": "string"}}


def schema(document: dict[str, Any]) -> Schema:
    return Schema(KEY, Path("part"), document, "")


@pytest.mark.parametrize(
    "document",
    [
        {"type": "array", "items": PART, "definitions": DEFINITIONS, "x-key": ["id"]},
        {"type": ["array"], "items": {**PART, "x-key": ["id"]}, "definitions": DEFINITIONS},
        {"type": "array", "items": {"$ref": "#/definitions/part"}, "definitions": {**DEFINITIONS, "part": PART},
         "x-key": ["id"]},
    ],
)  # fmt: skip
def test_the_element_of_an_array_schema_validates_single_records_and_keeps_the_annotations(
    document: dict[str, Any],
) -> None:
    element = element_of(schema(document))
    validator = compiled(element, SchemaRegistry())
    assert (validator.is_valid({"id": "a"}), validator.is_valid({"id": 5}), validator.is_valid({})) == (
        True,
        False,
        False,
    )
    assert element.document["x-key"] == ["id"]
    assert list(element.document["properties"]) == ["id"]


@pytest.mark.parametrize("document", [PART, {"type": ["array", "object"]}, {}, {"items": PART}])
def test_a_schema_of_records_is_its_own_element(document: dict[str, Any]) -> None:
    assert not is_array(document)
    assert element_of(schema(document)).document is document
