"""What extraction from one source produced."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from lorchestra.base.errors import Code

Status = Literal["ok", "empty", "partial", "failed"]


class SourceResult(NamedTuple):
    """What the extraction of one source produced.

    `files` are the raw files that were published, or that already hold what the source delivered; `records` are the
    lines in them, `new_records` those of them that are new or changed. `code` and `message` say why a
    source is not "ok" or "empty"; `child_log` is the private log of its program. `replaced` counts records that a later
    one with the same declared key replaced, `discarded` those of discarded streams, `refused` the files that wait for
    the user's decision, `waiting` those that were left for the next run. `warning` is something to report that is no
    failure.
    """

    source: str
    status: Status
    files: tuple[str, ...] = ()
    records: int = 0
    new_records: int = 0
    attempts: int = 0
    duration_seconds: float = 0.0
    code: Code | None = None
    message: str = ""
    child_log: Path | None = None
    advice: str = ""
    warning: str = ""
    replaced: int = 0
    discarded: int = 0
    refused: int = 0
    waiting: int = 0
