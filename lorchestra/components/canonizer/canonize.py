"""One input through one transform: what comes out, what is set aside, and what is known about it afterwards."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.converter import Converted
from lorchestra.components.canonizer.pool import Chunk, Pool
from lorchestra.components.canonizer.rules import Reject, Stage

Write = Callable[[bytes], object]


@dataclass(slots=True)
class Policy:
    """What a reject means: counted, or the end of the job."""

    skip_invalid: bool = True
    max_rejects: int | None = None


@dataclass(slots=True)
class Tally:
    """Counts over one or more inputs."""

    records_in: int = 0
    records_out: int = 0
    dropped: int = 0
    inexact_integers: int = 0
    rejected_by: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        """Records set aside."""
        return self.rejected_by.total()

    def add(self, other: Tally) -> None:
        """Count in another tally."""
        self.records_in += other.records_in
        self.records_out += other.records_out
        self.dropped += other.dropped
        self.inexact_integers += other.inexact_integers
        self.rejected_by += other.rejected_by

    def report(self) -> dict[str, Any]:
        """As results and reports write it."""
        return {
            "records_in": self.records_in,
            "records_out": self.records_out,
            "rejected": self.rejected,
            "dropped": self.dropped,
            "inexact_integers": self.inexact_integers,
            "rejected_by": dict(sorted(self.rejected_by.items())),
        }


class Digest:
    """Size and SHA-256 of bytes as they pass."""

    def __init__(self) -> None:
        self.bytes = 0
        self._sha256 = hashlib.sha256()

    def update(self, part: bytes) -> None:
        """Take in the next bytes."""
        self.bytes += len(part)
        self._sha256.update(part)

    def describe(self) -> dict[str, Any]:
        """As a lineage writes it."""
        return {"bytes": self.bytes, "sha256": self._sha256.hexdigest()}


class Runs:
    """Which raw line gave which canonical line, as runs `[first canonical line, first raw line, how many]`."""

    def __init__(self, next_line: int) -> None:
        self.runs: list[list[int]] = []
        self._next = next_line

    def extend(self, sources: Iterable[int]) -> None:
        """Take in the raw line of each further canonical line."""
        for source in sources:
            last = self.runs[-1] if self.runs else None
            if last and source == last[1] + last[2]:
                last[2] += 1
            else:
                self.runs.append([self._next, source, 1])
            self._next += 1


def canonize(
    pool: Pool,
    chunks: Iterator[Chunk],
    name: str,
    write: Write,
    set_aside: Write,
    runs: Runs,
    policy: Policy,
    before: int,
) -> Tally:
    """Send chunks through the transform that the pool has prepared; return the counts.

    `before` is how many records of the same job were rejected earlier. Raises Failure(NOT_JSONL) at a line that is not
    JSON, (TOO_MANY_REJECTS) where the policy says so; what was converted before that line has been written.
    """
    tally = Tally()
    for chunk, converted in pool.convert(chunks):
        write(converted.output)
        runs.extend(converted.sources)
        _count(tally, converted)
        if converted.rejects:
            set_aside(b"".join(_reject_lines(chunk, converted.rejects, name)))
            _judge(converted.rejects[0], name, before + tally.rejected, policy)
        if converted.not_json is not None:
            raise Failure(Code.NOT_JSONL, f"{name}: line {converted.not_json} is not JSON")
    return tally


def _count(tally: Tally, converted: Converted) -> None:
    tally.records_in += converted.records
    tally.records_out += len(converted.sources)
    tally.dropped += converted.dropped
    tally.inexact_integers += converted.inexact
    tally.rejected_by.update(f"{reject.stage}:{reject.rule}" for reject in converted.rejects)


def _judge(first: Reject, name: str, rejected: int, policy: Policy) -> None:
    if not policy.skip_invalid:
        where = f" at {first.schema_path}" if first.schema_path else ""
        raise Failure(
            Code.TOO_MANY_REJECTS,
            f"{name}: line {first.line} is refused by {first.stage}:{first.rule}{where}, and none may be skipped",
        )
    if policy.max_rejects is not None and rejected > policy.max_rejects:
        raise Failure(Code.TOO_MANY_REJECTS, f"{name}: more than {policy.max_rejects} records are rejected")


def _reject_lines(chunk: Chunk, rejects: list[Reject], name: str) -> Iterator[bytes]:
    lines = chunk.lines.split(b"\n")
    for reject in rejects:
        raw = lines[reject.line - chunk.first].rstrip(b"\r")
        told = {
            "input": name,
            "line": reject.line,
            "stage": reject.stage,
            "rule": reject.rule,
            "schema_path": reject.schema_path,
            "record": _record(raw, reject),
        }
        yield orjson.dumps(told) + b"\n"


def _record(raw: bytes, reject: Reject) -> Any:
    """The record as it came, also where a strict writer would not write it: as text then."""
    if reject.stage == Stage.PARSE:
        return raw.decode("utf-8", "replace")
    return orjson.Fragment(raw)
