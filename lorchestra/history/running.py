"""The run that is in progress: a file that exists from the start of a run to its end.

A run that was killed, or whose machine lost power, leaves the file behind. Whether the run is still alive is shown by
the pipeline's lock, which the system releases when its holder dies.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lorchestra.base.errors import Code, Failure
from lorchestra.history.log import timestamp
from lorchestra.history.runs import RunRecord
from lorchestra.storage import private

_FILE = "running.json"
RUNNING, KILLED = "RUNNING", "KILLED"


def begin(work_directory: Path, log_directory: Path, run: RunRecord) -> None:
    """Note that a run begins. A killed run that left its note is recorded in runs.jsonl. Call it under the lock."""
    left = note(work_directory)
    if left:
        line = {"run_id": left["run_id"], "began": left["began"], "ended": None, "status": KILLED, "stages": {}}
        private.append_line(log_directory / "runs.jsonl", json.dumps(line).encode("ascii"))
    begun = {"run_id": run.run_id, "began": timestamp(run.began)}
    private.write(work_directory / _FILE, json.dumps(begun).encode("ascii") + b"\n")


def end(work_directory: Path) -> None:
    """Note that the run has ended and is recorded."""
    (work_directory / _FILE).unlink(missing_ok=True)


def note(work_directory: Path) -> dict[str, Any] | None:
    """What a run noted when it began, `run_id` and `began`; None if no run is unfinished."""
    try:
        left = json.loads((work_directory / _FILE).read_bytes())
    except (OSError, ValueError):
        return None
    valid = isinstance(left, dict) and isinstance(left.get("run_id"), str) and isinstance(left.get("began"), str)
    return left if valid else None


def unfinished(work_directory: Path) -> dict[str, Any] | None:
    """The run without an end: `began` and `status`, RUNNING while its process lives, otherwise KILLED; None if none."""
    left = note(work_directory)
    if left is None:
        return None
    try:
        private.unlock(private.lock(work_directory / "lock", create=False))
    except Failure as failure:
        return left | {"status": RUNNING if failure.code is Code.BUSY else KILLED}
    except OSError:
        pass
    return left | {"status": KILLED}
