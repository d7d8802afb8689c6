"""What is asked of a worker, and what it answers."""

from __future__ import annotations

from typing import NamedTuple

from lorchestra.components.canonizer.record.rules import Reject


class Chunk(NamedTuple):
    """Whole lines, and the number of the first of them."""

    first: int
    lines: bytes


class Order(NamedTuple):
    """Which transform to compile, by its metadata file. `schemas` and `engine` override what is found from there.

    `source` is the name of the source that the records come from; a spec reads it as `$source`.
    """

    meta: str
    schemas: str | None = None
    engine: str | None = None
    require_checksum: bool = True
    source: str = ""

    @property
    def told(self) -> str:
        """What messages call it."""
        return self.meta


class Check(NamedTuple):
    """Which schema records are to be checked against: an Iglu name or a file; and where its references lead."""

    schema: str
    schemas: str

    @property
    def told(self) -> str:
        """What messages call it."""
        return self.schema


class Converted(NamedTuple):
    """What became of some lines. `sources` holds, for each line of `output`, the number of the raw line."""

    output: bytes = b""
    sources: list[int] = []  # noqa: RUF012 - never changed
    rejects: list[Reject] = []  # noqa: RUF012
    records: int = 0
    dropped: int = 0
    inexact: int = 0
    not_json: int | None = None

    def and_then(self, other: Converted) -> Converted:
        """Both, `other` being of the lines that follow."""
        return Converted(
            self.output + other.output,
            self.sources + other.sources,
            self.rejects + other.rejects,
            self.records + other.records,
            self.dropped + other.dropped,
            self.inexact + other.inexact,
            other.not_json,
        )
