"""Why a record is rejected: the stages it passes and the closed enum of rules.

At the stages `schema_in` and `schema_out` the rule is the JSON Schema keyword that failed. At `transform` it may also
be one of JSONata's own error codes (`T2001`, `D3030`, ...), a fixed list of the language.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Stage(StrEnum):
    """Where a record was rejected."""

    PARSE = "parse"
    SCHEMA_IN = "schema_in"
    TRANSFORM = "transform"
    SCHEMA_OUT = "schema_out"


class Rule(StrEnum):
    """Why, if neither a schema's keyword nor JSONata's code says it."""

    TOO_DEEP = "too_deep"
    """Nested deeper than 100 levels."""
    LONE_SURROGATE = "lone_surrogate"
    """Half of a UTF-16 pair, as `\\ud800`: not text in any encoding."""
    DUPLICATE_KEY = "duplicate_key"
    """A key occurs twice in one object: readers differ in which one counts."""
    NUMBER_RANGE = "number_range"
    """A number beyond the range of a double, as `1e400`."""
    TIME_LIMIT = "time_limit"
    """The evaluation took too long."""
    DEPTH_LIMIT = "depth_limit"
    """The evaluation recursed too deep."""
    SIZE_LIMIT = "size_limit"
    """The evaluation built too long a sequence or text."""
    MEMORY_LIMIT = "memory_limit"
    """The record took more memory than a worker may use."""
    CRASH = "crash"
    """The worker, or the engine in it, crashed while it processed the record."""
    EVALUATION = "evaluation"
    """The engine failed without one of JSONata's codes."""
    NOT_AN_OBJECT = "not_an_object"
    """The transform returned something other than an object or an array of objects."""
    UNWRITABLE = "unwritable"
    """The transform returned something that is not JSON."""
    UNCHECKABLE = "uncheckable"
    """The validator could not check the value."""


UNREADABLE = frozenset({Rule.TIME_LIMIT, Rule.MEMORY_LIMIT, Rule.CRASH})
"""Rules by which a worker may have ended before it knew whether the line is JSON."""


class Reject(NamedTuple):
    """A rejected record. Nothing in it comes from the record.

    `spec_place` is where the transform failed: line, column and name in the spec, as `7:12 $number`.
    """

    line: int
    stage: str
    rule: str
    schema_path: str | None = None
    spec_place: str | None = None


class Rejected(Exception):
    """Raised while a record is converted; caught per record."""

    def __init__(
        self, stage: Stage, rule: str, schema_path: str | None = None, *, spec_place: str | None = None
    ) -> None:
        super().__init__(rule)
        self.stage = stage
        self.rule = rule
        self.schema_path = schema_path
        self.spec_place = spec_place


class NotJson(Exception):
    """A line that no JSON reader accepts: the file is not JSON Lines."""
