"""Converts inputs to one output: records, rejects, counts, and when a job fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lorchestra.base.errors import Code, Failure, visible
from lorchestra.components.canonizer.record.requests import Chunk, Converted
from lorchestra.components.canonizer.record.rules import UNREADABLE, Reject, Stage
from lorchestra.components.canonizer.workers.pool import Pool
from lorchestra.records import rejects as rejects_format
from lorchestra.records.lineage import Runs
from lorchestra.records.reject_limit import Limit, exceeds

Write = Callable[[bytes], object]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Policy:
    """Whether rejected records are counted, or end the job."""

    skip_invalid: bool = True
    max_rejects: Limit = None


@dataclass(slots=True)
class Tally:
    """Counts over one or more inputs."""

    records_in: int = 0
    records_out: int = 0
    dropped: int = 0
    inexact_integers: int = 0
    rejected_by: Counter[str] = field(default_factory=Counter)
    places: dict[str, str] = field(default_factory=dict)
    """For each key of `rejected_by`, the first place in the schema or the spec that is known."""

    @property
    def rejected(self) -> int:
        """Number of rejected records."""
        return self.rejected_by.total()

    def count(self, converted: Converted) -> None:
        """Add the result of some lines."""
        self.records_in += converted.records
        self.records_out += len(converted.sources)
        self.dropped += converted.dropped
        self.inexact_integers += converted.inexact
        for reject in converted.rejects:
            why = f"{reject.stage}:{reject.rule}"
            self.rejected_by[why] += 1
            if place := reject.spec_place or reject.schema_path:
                self.places.setdefault(why, place)

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.records_in += other.records_in
        self.records_out += other.records_out
        self.dropped += other.dropped
        self.inexact_integers += other.inexact_integers
        self.rejected_by += other.rejected_by
        self.places = {**other.places, **self.places}

    def counts(self) -> dict[str, int]:
        """The counts in lineage files."""
        return {
            "records_in": self.records_in,
            "records_out": self.records_out,
            "rejected": self.rejected,
            "dropped": self.dropped,
        }

    def report(self) -> dict[str, Any]:
        """The counts in results and reports."""
        by = dict(sorted(self.rejected_by.items()))
        return {**self.counts(), "inexact_integers": self.inexact_integers, "rejected_by": by}


class Canonization:
    """Converts one or more inputs to one output."""

    def __init__(
        self, pool: Pool, policy: Policy, write: Write, write_rejects: Write, progress: Progress | None = None
    ) -> None:
        """`progress` is called now and then with the number of records so far, and of those that were rejected."""
        self.total = Tally()
        self._pool = pool
        self._policy = policy
        self._write = write
        self._write_rejects = write_rejects
        self._progress = progress

    def feed(self, chunks: Iterator[Chunk], name: str, source: int | None = None, runs: Runs | None = None) -> Tally:
        """Send one input through the transform that the pool has prepared last; return its counts.

        `source` as in `Pool.convert`; `runs` takes in where each line of the output came from.
        Raises Failure(NOT_JSONL) at a line that is not JSON, (TOO_MANY_REJECTS) where the policy says so. What came
        before has been written then.
        """
        tally = Tally()
        for chunk, converted in self._pool.convert(chunks, source):
            self._write(converted.output)
            if runs is not None:
                runs.extend(converted.sources)
            tally.count(converted)
            if converted.rejects:
                self._write_rejects(b"".join(_reject_lines(chunk, converted.rejects, name)))
                self._judge(converted.rejects[0], visible(name), self.total.rejected + tally.rejected)
            if self._progress:
                self._progress(self.total.records_in + tally.records_in, self.total.rejected + tally.rejected)
            if converted.not_json is not None:
                raise Failure(Code.NOT_JSONL, f"{visible(name)}: line {converted.not_json} is not JSON")
        self.total.add(tally)
        return tally

    def check_share(self) -> None:
        """After the last input. Raises Failure(TOO_MANY_REJECTS) if a greater share was rejected than is allowed."""
        rejected, records = self.total.rejected, self.total.records_in
        if exceeds(self._policy.max_rejects, rejected, records):
            what = f"{rejected:,} of {records:,} records were rejected; max_rejects is {self._policy.max_rejects}"
            raise Failure(Code.TOO_MANY_REJECTS, what)

    def _judge(self, first: Reject, name: str, rejected: int) -> None:
        if not self._policy.skip_invalid:
            where = f" at {first.schema_path}" if first.schema_path else ""
            what = (
                f"{name}: line {first.line} was rejected by {first.stage}:{first.rule}{where}, and skip_invalid is off"
            )
            raise Failure(Code.TOO_MANY_REJECTS, what)
        most = self._policy.max_rejects
        if isinstance(most, int) and rejected > most:
            raise Failure(Code.TOO_MANY_REJECTS, f"{name}: more than {most} records were rejected")


def _reject_lines(chunk: Chunk, rejects: list[Reject], name: str) -> Iterator[bytes]:
    lines = chunk.lines.split(b"\n")
    for reject in rejects:
        raw = lines[reject.line - chunk.first].rstrip(b"\r")
        record = rejects_format.text(raw) if reject.stage == Stage.PARSE or reject.rule in UNREADABLE else raw
        yield rejects_format.line(
            name, reject.line, reject.stage, reject.rule, reject.schema_path, record, reject.spec_place
        )
