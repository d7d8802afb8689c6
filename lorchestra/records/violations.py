"""Why a record does not match its schema: one translation of a validator's error, for every program.

A violation names the JSON Schema keyword that failed and where that keyword is in the *schema*, as a JSON Pointer
(RFC 6901). It holds no value and no key of the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import jsonschema_rs


class Violation(NamedTuple):
    """`rule`: the keyword, such as `required` or `falseSchema`. `schema_path`: its JSON Pointer in the schema."""

    rule: str
    schema_path: str


def first(validator: jsonschema_rs.Validator, instance: Any) -> Violation | None:
    """The first violation of a schema; None if the instance matches it.

    Raises ValueError if the instance is nested deeper than the validator follows.
    """
    for error in validator.iter_errors(instance):
        return Violation(error.kind.name, pointer(error.schema_path))
    return None


def pointer(path: Iterable[str | int]) -> str:
    """The JSON Pointer of a path."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
