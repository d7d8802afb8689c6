"""state.json, the last run as the spec prints it, and runs.jsonl, a line for every finished run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lorchestra.history.log import timestamp
from lorchestra.storage import private

RECORDS = {"extract": "records_extracted", "canonize": "records_transformed", "index": "records_indexed"}
"""What each stage's count of records is called in state.json."""


@dataclass
class StageRecord:
    """A stage of the running run. Counts are of this run, but for `records`, which tells what the outputs now hold."""

    name: str
    began: float | None = None
    ended: float | None = None
    records: int = 0
    built: int = 0
    up_to_date: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    output_files: list[str] = field(default_factory=list)
    unchanged: bool = False
    """Nothing was looked at file by file: what the last run said of the outputs still holds."""

    @property
    def status(self) -> str:
        """FAILED when nothing came out of a stage that failed, PARTIAL when something did."""
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

    def as_state(self) -> dict[str, Any]:
        """The spec's keys first, then ours."""
        state: dict[str, Any] = {
            "status": self.status,
            "duration_seconds": self.duration_seconds,
            RECORDS[self.name]: self.records,
        }
        if self.name != "index":
            state["output_files"] = sorted(self.output_files)
        return state | {
            "built": self.built,
            "up_to_date": self.up_to_date,
            "counts": dict(sorted(self.counts.items())),
            "failures": dict(sorted(self.failures.items())),
        }


@dataclass
class RunRecord:
    """The running run."""

    run_id: str
    began: datetime
    store: Path
    stages: dict[str, StageRecord] = field(default_factory=dict)
    interrupted: bool = False
    broken_off: bool = False
    """A fault outside of any task ended it: no stage may know of one."""
    unmatched: int = 0
    unnamed: int = 0

    def stage(self, name: str) -> StageRecord:
        """The record of a stage, begun when it is first asked for."""
        return self.stages.setdefault(name, StageRecord(name))

    @property
    def status(self) -> str:
        """SUCCESS, PARTIAL, FAILED or INTERRUPTED."""
        if self.interrupted:
            return "INTERRUPTED"
        found = {stage.status for stage in self.stages.values()} | ({"FAILED"} if self.broken_off else set())
        if found <= {"SUCCESS"}:
            return "SUCCESS"
        return "FAILED" if found <= {"FAILED"} else "PARTIAL"


def write(directory: Path, run: RunRecord) -> None:
    """Record a finished run: state.json replaced whole, one line more in runs.jsonl."""
    private.make_directory(directory)
    ended = datetime.now(UTC)
    earlier = read(directory).get("stages", {})
    stages = {name: _stage_state(record, earlier.get(name)) for name, record in run.stages.items()}
    state = {
        "last_run": f"{run.began.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "status": run.status,
        "stages": {name: stages.get(name) or earlier[name] for name in RECORDS if name in stages or name in earlier},
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
    }
    private.append_line(directory / "runs.jsonl", json.dumps(line).encode("ascii"))


def _stage_state(record: StageRecord, earlier: dict[str, Any] | None) -> dict[str, Any]:
    state = record.as_state()
    if record.unchanged and earlier:
        state |= {key: earlier[key] for key in (RECORDS[record.name], "output_files") if key in earlier}
    return state


def read(directory: Path) -> dict[str, Any]:
    """The state of the last run; empty where there was none, or the file was damaged."""
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


def runs(directory: Path) -> Iterator[dict[str, Any]]:
    """The finished runs, oldest first. A line that was torn by a crash is passed over."""
    try:
        lines = (directory / "runs.jsonl").read_bytes().split(b"\n")
    except OSError:
        return
    for line in lines:
        try:
            run = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(run, dict):
            yield run
