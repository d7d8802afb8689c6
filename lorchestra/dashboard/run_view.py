"""What the events of one run add up to: stages, tasks and their progress."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from lorchestra.history.stages import STAGES

SILENT_SECONDS = 6.0
"""A living run writes a heartbeat every five seconds."""
_SHOWN_EVENTS = 30
Event: TypeAlias = Mapping[str, Any]
"""A line of the event log, or anything that a damaged one holds."""


@dataclass
class TaskView:
    """A task. Moments are seconds since the epoch."""

    name: str
    stage: str
    reason: str = ""
    began: float = 0.0
    ended: float | None = None
    status: str = "running"
    code: str | None = None
    records: int = 0
    rejected: int = 0


@dataclass
class StageView:
    """A stage and how many tasks it was planned to run."""

    name: str
    planned: int = 0
    unchanged: int = 0
    began: float | None = None
    done: int = 0
    failed: int = 0
    records: int = 0
    rejected: int = 0

    @property
    def percent(self) -> int:
        """How much of it is done, from 0 to 100."""
        return 100 if not self.planned else min(100, 100 * (self.done + self.failed) // self.planned)

    def seconds_left(self, now: float) -> float | None:
        """At the pace so far; None while nothing is done."""
        finished = self.done + self.failed
        if not finished or self.began is None:
            return None
        return max(0, self.planned - finished) * (now - self.began) / finished


@dataclass
class RunView:
    """A run, folded from its events by `add`."""

    run_id: str
    began: str
    stages: dict[str, StageView] = field(default_factory=dict)
    tasks: dict[str, TaskView] = field(default_factory=dict)
    status: str = "RUNNING"
    killed: bool = False
    seq: int = 0
    heard: float = field(default_factory=time.time)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_SHOWN_EVENTS))

    def add(self, event: Event) -> None:
        """Take in the next event. Events of unknown kinds count as a sign of life."""
        metadata = event.get("metadata")
        if not isinstance(metadata, dict):
            return
        self.seq, self.heard = event.get("seq", self.seq), seconds(event.get("timestamp"))
        handler = getattr(self, f"_{event.get('event')}", None)
        if handler:
            handler(event.get("stage"), metadata)
        if event.get("event") not in ("heartbeat", "task_progress"):
            self.recent.append({**event, "task": metadata.get("task") or metadata.get("source") or ""})

    @property
    def shown_status(self) -> str:
        """The status, KILLED if the run ended without a word."""
        return "KILLED" if self.killed else self.status

    def is_silent(self) -> bool:
        """Whether not even a heartbeat was heard for a while."""
        return self.status == "RUNNING" and time.time() - self.heard > SILENT_SECONDS

    def running(self) -> list[TaskView]:
        """The tasks that run now."""
        return [task for task in self.tasks.values() if task.ended is None]

    def _stage(self, name: str) -> StageView:
        return self.stages.setdefault(name, StageView(name))

    def _plan_made(self, stage: str, metadata: Mapping[str, Any]) -> None:
        view = self._stage(stage)
        view.planned += metadata.get("tasks", 0)
        view.unchanged = max(view.unchanged, metadata.get("up_to_date", 0))

    def _task_started(self, stage: str, metadata: Mapping[str, Any]) -> None:
        name = metadata["task"]
        self.tasks[name] = TaskView(name, stage, metadata.get("reason", ""), self.heard)
        view = self._stage(stage)
        view.began = view.began or self.heard

    def _task_progress(self, stage: str, metadata: Mapping[str, Any]) -> None:
        if task := self.tasks.get(metadata["task"]):
            task.records, task.rejected = metadata.get("records", 0), metadata.get("rejected", 0)

    def _task_finished(self, stage: str, metadata: Mapping[str, Any]) -> None:
        task = self.tasks.setdefault(metadata["task"], TaskView(metadata["task"], stage, began=self.heard))
        counts = metadata.get("counts") or {}
        task.ended, task.status, task.code = self.heard, metadata.get("status", ""), metadata.get("code")
        kind = STAGES.get(stage)
        task.records = counts.get(kind.records_in, 0) if kind else 0
        task.rejected = counts.get("rejected", 0)
        view = self._stage(stage)
        view.done += task.status == "ok"
        view.failed += task.status != "ok"
        view.records += task.records
        view.rejected += task.rejected

    def _run_finished(self, _stage: str, metadata: Mapping[str, Any]) -> None:
        self.status = metadata.get("status", "SUCCESS")


def seconds(timestamp: object) -> float:
    """Seconds since the epoch of a timestamp of the log; 0 if it is none."""
    try:
        return datetime.fromisoformat(str(timestamp)).timestamp()
    except ValueError:
        return 0.0
