"""What a run came to, as a table that a person can read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lorchestra.history.runs import RECORDS, RunRecord, StageRecord

_IN = {"extract": "records", "canonize": "records_in", "index": "records_in"}
_OUT = {"extract": ("new_records",), "canonize": ("records_out",), "index": ("inserted", "revised")}
_HEAD = ("", "files", "done", "up to date", "failed", "records in", "out", "rejected", "seconds")


def summary(run: RunRecord) -> str:
    """A line a stage: its files, tasks done, skipped and failed, records in, out and rejected, duration.

    What goes into extract is what the sources' files hold, and out comes what is new in them.
    """
    rows = [_HEAD, *(_row(run.stages[name]) for name in RECORDS if name in run.stages)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        row[0].ljust(widths[0]) + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
    return "\n".join(("", *lines, *_notes(run), ""))


def _row(stage: StageRecord) -> tuple[str, ...]:
    counts = stage.counts
    numbers = (
        counts.get("files", 0) if stage.name == "index" else len(stage.output_files),
        stage.built,
        stage.up_to_date,
        len(stage.failures),
        counts.get(_IN[stage.name], 0),
        sum(counts.get(name, 0) for name in _OUT[stage.name]),
        counts.get("rejected", 0),
    )
    return (stage.name, *(f"{number:,}" for number in numbers), f"{stage.duration_seconds:.1f}")


_EXTRACTED = {
    "replaced": "{:,} records were replaced by later records with the same declared key.",
    "discarded": "{:,} records of discarded streams were dropped.",
    "refused": "{:,} refused files wait for a decision: `lorchestra refused` lists them.",
}


def _notes(run: RunRecord) -> list[str]:
    notes = []
    extract = run.stages["extract"].counts if "extract" in run.stages else {}
    notes += [template.format(extract[name]) for name, template in _EXTRACTED.items() if extract.get(name)]
    if run.unmatched:
        notes.append(f"{run.unmatched:,} raw files match no mapping: `lorchestra status` names them.")
    if run.unnamed:
        notes.append(f"{run.unnamed:,} files in the raw directory do not follow the naming convention; left alone.")
    if run.interrupted:
        notes.append("Interrupted. What was done is kept; start again to go on.")
    if "index" in run.stages and not run.interrupted:
        projector = Path(sys.executable).with_name("vector-projector")
        notes.append(f"Look at it: {os.path.relpath(projector)} search WORDS --store {os.path.relpath(run.store)}")
    return ["", *notes] if notes else []
