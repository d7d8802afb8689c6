"""The record of a run: state.json, the last run as the spec prints it, and runs.jsonl, one line for every run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base.errors import Outcome
from lorchestra.base.wording import counted
from lorchestra.history.log import timestamp
from lorchestra.history.stages import STAGES
from lorchestra.storage import private


class Problem(NamedTuple):
    """A task, or a stage, that failed, and how."""

    task: str
    outcome: Outcome


_JUMP = 0.1
"""By how much the lost share of a file's records may rise before it is worth a warning."""
_MOST = 0.5
"""The lost share that is worth a warning for a file that is built for the first time."""


class Losses(NamedTuple):
    """How many of a canonical file's records were rejected or dropped, in this run and when it was built before."""

    target: str
    records_in: int
    rejected: int
    dropped: int
    share_before: float | None = None

    @classmethod
    def of(cls, target: str, counts: Mapping[str, Any]) -> Losses:
        """From the counts of a task or of a lineage."""
        return cls(target, *(int(counts.get(key, 0)) for key in ("records_in", "rejected", "dropped")))

    @property
    def share(self) -> float:
        """Of the records that came in, from 0 to 1."""
        return (self.rejected + self.dropped) / self.records_in if self.records_in else 0.0

    @property
    def text(self) -> str:
        """`2 rejected and 1 dropped of 14 records`."""
        counts = ((self.rejected, "rejected"), (self.dropped, "dropped"))
        return f"{' and '.join(f'{n:,} {what}' for n, what in counts if n)} of {counted(self.records_in, 'record')}"

    @property
    def warning(self) -> str:
        """What is unusual about it; empty if nothing is."""
        if self.share >= 1:
            return "no record was converted"
        if self.share > (_MOST if self.share_before is None else self.share_before + _JUMP):
            before = "" if self.share_before is None else f", {self.share_before:.0%} before"
            return f"{self.share:.0%} of the records were lost{before}"
        return ""


@dataclass
class StageRecord:
    """A stage of the current run. Counts are of this run, except `records`, which tells what the outputs hold now."""

    name: str
    began: float | None = None
    ended: float | None = None
    records: int = 0
    built: int = 0
    up_to_date: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    interrupted: list[str] = field(default_factory=list)
    """The tasks that an interrupt ended."""
    output_files: list[str] = field(default_factory=list)
    unchanged: bool = False
    """No file was looked at: what the last run recorded about the outputs still holds."""

    @property
    def status(self) -> str:
        """FAILED if the stage failed and produced nothing, PARTIAL if it produced something, INTERRUPTED, SUCCESS."""
        if self.interrupted:
            return "INTERRUPTED"
        if not self.failures:
            return "SUCCESS"
        return "PARTIAL" if self.built or self.up_to_date else "FAILED"

    @property
    def duration_seconds(self) -> float:
        """From the first task's start to the last one's end."""
        return round((self.ended or 0) - (self.began or 0), 3) if self.began and self.ended else 0

    def add(self, counts: Mapping[str, int]) -> None:
        """Add a task's counts to the stage's."""
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def as_event(self) -> dict[str, Any]:
        """The fields of the event `stage_finished`."""
        return {
            "status": self.status,
            "duration_seconds": self.duration_seconds,
            "built": self.built,
            "up_to_date": self.up_to_date,
            "failed": len(self.failures),
            "counts": self.counts,
        }

    def as_state(self) -> dict[str, Any]:
        """The spec's keys first, then ours."""
        state: dict[str, Any] = {
            "status": self.status,
            "duration_seconds": self.duration_seconds,
            STAGES[self.name].state_key: self.records,
        }
        if self.name != "index":
            state["output_files"] = sorted(set(self.output_files))
        return state | {
            "built": self.built,
            "up_to_date": self.up_to_date,
            "counts": dict(sorted(self.counts.items())),
            "failures": dict(sorted(self.failures.items())),
        }


@dataclass
class RunRecord:
    """The current run."""

    run_id: str
    began: datetime
    store: Path
    stages: dict[str, StageRecord] = field(default_factory=dict)
    interrupted: bool = False
    aborted: bool = False
    """A failure outside of any task ended it; no stage may know about it."""
    unmatched: int = 0
    unnamed: int = 0
    problems: list[Problem] = field(default_factory=list)
    losses: list[Losses] = field(default_factory=list)
    losses_before: int = 0
    """The number of unchanged files that lost records when they were built."""
    warnings: list[str] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)
    """How many new records each source delivered, as far as sources were extracted."""
    retried: dict[str, int] = field(default_factory=dict)
    """The sources that succeeded after more than one attempt, with the number of attempts."""
    ignored: list[str] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    """The stages and tasks that were not reached because of a failure."""
    nothing_to_do: str = ""
    """Why no stage had a task, if none had."""

    def stage(self, name: str) -> StageRecord:
        """The record of a stage, begun when it is first asked for."""
        return self.stages.setdefault(name, StageRecord(name))

    @property
    def age_seconds(self) -> float:
        """The time since it began."""
        return round((datetime.now(UTC) - self.began).total_seconds(), 3)

    @property
    def status(self) -> str:
        """SUCCESS, PARTIAL, FAILED or INTERRUPTED."""
        if self.interrupted:
            return "INTERRUPTED"
        found = {stage.status for stage in self.stages.values()} | ({"FAILED"} if self.aborted else set())
        if found <= {"SUCCESS"}:
            return "SUCCESS"
        return "FAILED" if found <= {"FAILED"} else "PARTIAL"


def write(directory: Path, run: RunRecord) -> None:
    """Record a finished run: replace state.json and append a line to runs.jsonl."""
    private.make_directory(directory)
    ended = datetime.now(UTC)
    earlier = read(directory).get("stages", {})
    stages = {name: _stage_state(record, earlier.get(name)) for name, record in run.stages.items()}
    state = {
        "last_run": f"{run.began.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "status": run.status,
        "stages": {name: stages.get(name) or earlier[name] for name in STAGES if name in stages or name in earlier},
        "run_id": run.run_id,
        "duration_seconds": round((ended - run.began).total_seconds(), 3),
        "unmatched_files": run.unmatched,
        "unnamed_files": run.unnamed,
    }
    private.write(directory / "state.json", json.dumps(state, indent=2).encode("ascii") + b"\n", durable=False)
    line = {
        "run_id": run.run_id,
        "began": timestamp(run.began),
        "ended": timestamp(ended),
        "status": run.status,
        "stages": {name: {k: v for k, v in stage.items() if k != "output_files"} for name, stage in stages.items()},
        "sources": dict(sorted(run.sources.items())),
    }
    private.append_line(directory / "runs.jsonl", json.dumps(line).encode("ascii"))


def _stage_state(record: StageRecord, earlier: dict[str, Any] | None) -> dict[str, Any]:
    state = record.as_state()
    if record.unchanged and earlier:
        state |= {key: earlier[key] for key in (STAGES[record.name].state_key, "output_files") if key in earlier}
    return state


def read(directory: Path) -> dict[str, Any]:
    """The state of the last run; empty if there was none or the file is damaged."""
    try:
        state = json.loads((directory / "state.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return state if _is_state(state) else {}


def _is_state(document: object) -> bool:
    if not isinstance(document, dict):
        return False
    stages = document.get("stages")
    return (
        all(isinstance(document.get(name), str) for name in ("last_run", "status"))
        and isinstance(document.get("duration_seconds"), int | float)
        and isinstance(stages, dict)
        and all(isinstance(stage, dict) and isinstance(stage.get("failures"), dict) for stage in stages.values())
    )


def runs(directory: Path, last: int | None = None) -> Iterator[dict[str, Any]]:
    """The recorded runs, or the `last` ones, oldest first. An incomplete or damaged line is ignored."""
    try:
        lines = (directory / "runs.jsonl").read_bytes().splitlines()
    except OSError:
        return
    for line in lines[-last:] if last else lines:
        try:
            run = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if _is_run(run):
            yield run


def _is_run(document: object) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("stages", {}), dict):
        return False
    texts = [document.get(key) for key in ("run_id", "began", "status")]
    moments = [document.get("began"), document.get("ended") or document.get("began")]
    try:
        aware = all(datetime.fromisoformat(str(moment)).tzinfo for moment in moments)
    except ValueError:
        return False
    return aware and all(isinstance(text, str) for text in texts)
