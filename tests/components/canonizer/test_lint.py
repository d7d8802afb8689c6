"""The linter of schemas: each fault is found, and schemas as registries have them are not faulty."""

from __future__ import annotations

from typing import Any

import pytest

from lorchestra.components.canonizer.authoring.checks import Severity, lint

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
SNOWPLOW = "http://iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/1-0-0#"


@pytest.mark.parametrize(
    ("schema", "faults"),
    [
        ({"propertes": {}}, [("schema_keyword", "/propertes", "did you mean `properties`?")]),
        ({"allOf": [{"requierd": ["a"]}]}, [("schema_keyword", "/allOf/0/requierd", "did you mean `required`?")]),
        ({"$schema": DRAFT_4, "const": 1}, [("schema_keyword", "/const", "draft 4 ignores this keyword")]),
        ({"minimum": 5, "maximum": 1}, [("schema_range", "/minimum", "5 is greater than maximum 1")]),
        ({"items": {"minLength": 2, "maxLength": 1}}, [("schema_range", "/items/minLength", "2 is greater")]),
        ({"exclusiveMinimum": 1, "maximum": 1}, [("schema_range", "/", "no number")]),
        (
            {"$schema": DRAFT_4, "minimum": 1, "exclusiveMinimum": True, "maximum": 1},
            [("schema_range", "/", "no number")],
        ),
        (
            {"additionalProperties": False, "properties": {"name": {}}, "required": ["nme"]},
            [("schema_required", "/required", "forbids `nme`; did you mean `name`?")],
        ),
        ({"type": "integer", "maxLength": 3}, [("schema_type", "/maxLength", "no effect on values of type integer")]),
        ({"type": "string", "enum": [1, 2]}, [("schema_enum", "/enum", "no value is of the type string")]),
        ({"enum": []}, [("schema_enum", "/enum", "is empty")]),
        ({"pattern": "["}, [("schema_pattern", "/pattern", "is not a regular expression")]),
        ({"patternProperties": {"(": {}}}, [("schema_pattern", "/patternProperties", "not a regular expression")]),
        ({"format": "dat-time"}, [("schema_format", "/format", "did you mean `date-time`?")]),
        ({"format": "date-time"}, [("schema_format", "/format", "this draft does not check formats")]),
        ({"type": "integer", "format": "date"}, [("schema_format", "/format", "no effect on values of type integer")]),
        ({"properties": {"a/b": {"enum": []}}}, [("schema_enum", "/properties/a~1b/enum", "is empty")]),
    ],
)
def test_a_fault_has_a_rule_a_place_and_a_sentence(schema: dict[str, Any], faults: list[tuple[str, str, str]]) -> None:
    found = list(lint.faults(schema))
    assert [(fault.rule, fault.path) for fault in found] == [(rule, path) for rule, path, _ in faults]
    assert all(message in fault.message for fault, (_, _, message) in zip(found, faults, strict=True))


@pytest.mark.parametrize(
    "schema",
    [
        {
            "$schema": SNOWPLOW,
            "description": "Schema for a checkout event",
            "self": {"vendor": "com.example", "name": "checkout", "format": "jsonschema", "version": "1-0-0"},
            "type": "object",
            "properties": {
                "id": {"type": "string", "format": "uuid", "maxLength": 36},
                "at": {"type": ["string", "null"], "format": "date-time"},
                "price": {"type": ["number", "null"], "minimum": 0, "maximum": 1e9, "exclusiveMinimum": False},
                "method": {"enum": ["card", "cash", None]},
                "tags": {
                    "type": "array",
                    "items": [{"type": "string", "pattern": "^[a-z]+$"}],
                    "additionalItems": True,
                },
            },
            "required": ["id"],
            "additionalProperties": False,
            "dependencies": {"price": ["method"]},
            "x-owner": "shop",
            "$supersededBy": "1-0-1",
        },
        {"properties": {"propertes": {}, "requierd": {"type": "string"}}, "x-key": ["propertes"]},
        {"additionalProperties": False, "patternProperties": {"^x_": {}}, "required": ["x_id"]},
        {"type": "number", "enum": [1.5, 2], "minimum": 1, "maximum": 1},
        {"const": {"propertes": 1}, "default": {"minimum": 5, "maximum": 1}, "examples": [{"enum": []}]},
        {"$schema": DRAFT_7, "if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}, "format": "email"},
        {"$ref": "#/$defs/a", "$defs": {"a": True}},
    ],
)
def test_schemas_as_registries_have_them_are_not_faulty(schema: dict[str, Any]) -> None:
    assert [fault for fault in lint.faults(schema) if fault.level is not Severity.INFO] == []


def test_an_unknown_keyword_without_a_close_match_and_a_format_of_another_draft_are_mentioned() -> None:
    schema = {"$schema": DRAFT_4, "colour": "red", "format": "uuid"}
    assert [(fault.path, fault.level) for fault in lint.faults(schema)] == [
        ("/colour", Severity.INFO),
        ("/format", Severity.INFO),
    ]
