"""The progress of a run on a terminal, drawn from its events."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lorchestra.base.wording import counted
from lorchestra.history.stages import STAGES

_MOST_ROWS = 8
"""How many running tasks are shown one by one."""


class _Stage:
    """What is known about a stage in progress."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.began = self.now = time.monotonic()
        self.tasks: int = plan["tasks"]
        self.expected: int | None = plan["records"]
        self.finished = self.records = self.rejected = 0
        self.running: dict[str, tuple[int, int]] = {}

    def add(self, stage: str, counts: dict[str, int]) -> None:
        """A task has ended."""
        self.finished += 1
        self.records += counts.get(STAGES[stage].records_in, 0)
        self.rejected += counts.get("rejected", 0)

    def text(self) -> str:
        """`2/5 files  12,000 records  523/s  3 rejected`."""
        records = self.records + sum(done for done, _ in self.running.values())
        rejected = self.rejected + sum(count for _, count in self.running.values())
        if self.finished < self.tasks:  # the rate of a finished stage stays as it is
            self.now = time.monotonic()
        rate = records / max(0.1, self.now - self.began)
        parts = [f"{self.finished:,}/{self.tasks:,}", counted(records, "record"), f"{rate:,.0f}/s"]
        return "  ".join([*parts, f"{rejected:,} rejected"] if rejected else parts)

    def share(self) -> float:
        """How much is done, from 0 to 1: of the expected records, otherwise of the tasks."""
        by_task = self.finished / self.tasks if self.tasks else 1.0
        if not self.expected or by_task >= 1:
            return by_task
        done = self.records + sum(count for count, _ in self.running.values())
        return min(0.99, done / self.expected)


class Live:
    """A listener of a run's events that draws them; also the stream for lines that stay above."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(compact=True),
            console=Console(file=sys.stdout, highlight=False),
            transient=True,
            refresh_per_second=4,
        )
        self._stages: dict[str, _Stage] = {}
        self._rows: dict[str, TaskID] = {}
        self._progress.start()

    def __call__(self, event: dict[str, Any]) -> None:
        """Take in an event."""
        stage, fields = event["stage"], event["metadata"]
        if event["event"] == "plan_made" and fields["tasks"]:
            self._stages[stage] = _Stage(fields)
            self._rows[stage] = self._progress.add_task(stage, total=1.0, text="")
        known = self._stages.get(stage)
        if known is None:
            return
        if event["event"] in ("task_started", "task_progress"):
            known.running[fields["task"]] = (fields.get("records", 0), fields.get("rejected", 0))
            self._show(fields["task"], fields.get("records", 0))
        elif event["event"] == "task_finished":
            known.running.pop(fields["task"], None)
            known.add(stage, fields["counts"])
            if (row := self._rows.pop(fields["task"], None)) is not None:
                self._progress.remove_task(row)
        self._progress.update(self._rows[stage], completed=known.share(), text=known.text())

    def _show(self, task: str, records: int) -> None:
        """A row of a running task."""
        if task not in self._rows and len(self._rows) < _MOST_ROWS + len(self._stages):
            self._rows[task] = self._progress.add_task(f"  {task.partition(':')[2]}", total=None, text="")
        if task in self._rows and records:
            self._progress.update(self._rows[task], text=counted(records, "record"))

    def write(self, text: str) -> None:
        """Write lines above the drawing."""
        self._progress.console.print(text, end="", markup=False, highlight=False, soft_wrap=True)

    def flush(self) -> None:
        """Nothing is held back."""

    def stop(self) -> None:
        """Remove the drawing."""
        self._progress.stop()
