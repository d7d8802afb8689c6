"""Why a record is set aside: the stages it passes and the closed enum of rules.

At the stages `schema_in` and `schema_out` the rule is the JSON Schema keyword that failed. At `transform` it may also
be one of JSONata's own error codes (`T2001`, `D3030`, ...), a fixed list of the language.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Stage(StrEnum):
    """Where on its way a record was stopped."""

    PARSE = "parse"
    SCHEMA_IN = "schema_in"
    TRANSFORM = "transform"
    SCHEMA_OUT = "schema_out"


class Rule(StrEnum):
    """What stopped it, where the schema's keyword or JSONata's code does not say it."""

    TOO_DEEP = "too_deep"
    LONE_SURROGATE = "lone_surrogate"
    DUPLICATE_KEY = "duplicate_key"
    NUMBER_RANGE = "number_range"
    TIME_LIMIT = "time_limit"
    DEPTH_LIMIT = "depth_limit"
    SIZE_LIMIT = "size_limit"
    MEMORY_LIMIT = "memory_limit"
    CRASH = "crash"
    EVALUATION = "evaluation"
    NOT_AN_OBJECT = "not_an_object"
    UNCHECKABLE = "uncheckable"


class Reject(NamedTuple):
    """A record set aside. Nothing in it comes from the record."""

    line: int
    stage: str
    rule: str
    schema_path: str | None = None


class Rejected(Exception):
    """Raised on a record's way, caught per record."""

    def __init__(self, stage: Stage, rule: str, schema_path: str | None = None) -> None:
        super().__init__(rule)
        self.stage = stage
        self.rule = rule
        self.schema_path = schema_path


class NotJson(Exception):
    """A line that no reader of JSON would accept: the file is not JSON Lines."""
