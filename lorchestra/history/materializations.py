"""Which run built a file, updated a type in the store or got new records from a source last, from the event log."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any


def last(logs: Path, tasks: Collection[str]) -> dict[str, str]:
    """The id of the last run that did each task, such as `canonize:email-20251112`, with a result.

    `extract:SOURCE` stands for the last run in which the source delivered new records. A task is missing if the log
    does not tell.
    """
    found: dict[str, str] = {}
    for path in sorted(logs.glob("pipeline-*.log"), reverse=True):
        day: dict[str, str] = {}
        with path.open("rb") as file:
            for line in file:
                if b'"task_finished"' in line or b'"source_finished"' in line:
                    task, run = _done(line)
                    if task in tasks and task not in found:
                        day[task] = run  # the last one of the day wins
        found |= day
        if len(found) == len(tasks):
            break
    return found


def _done(line: bytes) -> tuple[str, str]:
    """The task and the run of an event that reports a result; empty texts for other events and damaged lines."""
    try:
        event: Any = json.loads(line)
        metadata = event["metadata"]
        if event["event"] == "source_finished":
            return (f"extract:{metadata['source']}", event["run_id"]) if metadata["new_records"] else ("", "")
        is_result = metadata["status"] == "ok" and not metadata["task"].startswith("extract:")
        return (metadata["task"], event["run_id"]) if is_result else ("", "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return "", ""
