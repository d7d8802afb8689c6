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
    """Nested deeper than 100 levels."""
    LONE_SURROGATE = "lone_surrogate"
    """Half of a UTF-16 pair, as `\\ud800`: no text in any encoding."""
    DUPLICATE_KEY = "duplicate_key"
    """A key stands twice in one object: readers differ in which one counts."""
    NUMBER_RANGE = "number_range"
    """A number beyond the range of a double, as `1e400`."""
    TIME_LIMIT = "time_limit"
    """The evaluation took too long."""
    DEPTH_LIMIT = "depth_limit"
    """The evaluation recursed too deep."""
    SIZE_LIMIT = "size_limit"
    """The evaluation built too long a sequence or text."""
    MEMORY_LIMIT = "memory_limit"
    """The record took more memory than a worker may have."""
    CRASH = "crash"
    """The worker, or the engine in it, broke down over the record."""
    EVALUATION = "evaluation"
    """The engine refused, without a code of JSONata's."""
    NOT_AN_OBJECT = "not_an_object"
    """The transform gave something that is no object and no array of objects."""
    UNWRITABLE = "unwritable"
    """The transform gave what is no JSON."""
    UNCHECKABLE = "uncheckable"
    """The validator could not judge the value."""


UNREADABLE = frozenset({Rule.TIME_LIMIT, Rule.MEMORY_LIMIT, Rule.CRASH})
"""Rules by which a worker may have ended before it knew whether the line is JSON."""


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
    """A line that no reader of JSON accepts: the file is not JSON Lines."""
