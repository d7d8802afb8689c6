"""Requests to a worker, and its answers."""

from __future__ import annotations

from typing import NamedTuple

from lorchestra.components.canonizer.record.rules import Reject


class Chunk(NamedTuple):
    """Whole lines, and the number of the first one."""

    first: int
    lines: bytes


class Order(NamedTuple):
    """Which transform to compile, by its metadata file. `schemas` and `engine` replace what the registry says.

    `source` is the name of the source that the records come from; a spec reads it as `$source`. Without
    `checks_output` the result is returned as the engine gives it.
    """

    meta: str
    schemas: tuple[str, ...] = ()
    engine: str | None = None
    require_checksum: bool = True
    source: str = ""
    checks_output: bool = True

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.meta


class Check(NamedTuple):
    """A schema that records are checked against: an Iglu name or a file, and the directories that it refers to."""

    schema: str
    roots: tuple[str, ...]

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.schema


class Converted(NamedTuple):
    """The result for some lines. `sources` holds, for each line of `output`, the number of the raw line."""

    output: bytes = b""
    sources: list[int] = []  # noqa: RUF012 - never changed
    rejects: list[Reject] = []  # noqa: RUF012
    records: int = 0
    dropped: int = 0
    inexact: int = 0
    not_json: int | None = None

    def and_then(self, other: Converted) -> Converted:
        """Both results, `other` being that of the lines that follow."""
        return Converted(
            self.output + other.output,
            self.sources + other.sources,
            self.rejects + other.rejects,
            self.records + other.records,
            self.dropped + other.dropped,
            self.inexact + other.inexact,
            other.not_json,
        )
