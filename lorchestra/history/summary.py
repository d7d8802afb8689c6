"""The end of a run, as a person reads it: what was done, what was lost, what failed, and what to do next."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from lorchestra.base.wording import counted
from lorchestra.history.runs import Losses, RunRecord, StageRecord
from lorchestra.history.stages import STAGES

_HEAD = ("", "", "done", "unchanged", "failed", "records in", "out", "rejected", "dropped", "seconds")
_LISTED = 10
_EXTRACTED = {
    "replaced": ("record", "replaced by later records with the same declared key."),
    "discarded": ("record", "dropped: of discarded streams."),
    "waiting": ("new file", "left for the next run: somebody may still be writing it."),
    "refused": ("refused file", "waiting for a decision: `lorchestra refused` lists them."),
}


def summary(run: RunRecord) -> str:
    """A table with a row for each stage, then notes, warnings, failures, and the next step.

    `records in` of extract counts what the sources' files hold, `out` what is new in them.
    """
    blocks = [_table(run), [*_notes(run)], [*_warnings(run)], [*_failures(run)], [*_next_step(run)]]
    return "".join("\n" + "\n".join(block) + "\n" for block in blocks if block)


def _table(run: RunRecord) -> list[str]:
    rows = [_HEAD, *(_row(run.stages[name]) for name in STAGES if name in run.stages)]
    if len(rows) == 1:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sys.stdout.isatty() and sum(widths) + 2 * len(widths) - 2 > shutil.get_terminal_size().columns:
        return [line for row in rows[1:] for line in _narrow(row)]
    return [
        f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}"
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[2:], widths[2:], strict=True))
        for row in rows
    ]


def _narrow(row: tuple[str, ...]) -> list[str]:
    """A row of the table for a window that it does not fit."""
    counts = [f"{cell} {name}" for name, cell in zip(_HEAD[2:], row[2:], strict=True) if cell not in ("0", "0.0")]
    text = f"{row[0]} ({row[1]}): {', '.join(counts) or 'nothing to do'}"
    return textwrap.wrap(text, max(20, shutil.get_terminal_size().columns), subsequent_indent="  ")


def _row(record: StageRecord) -> tuple[str, ...]:
    stage, counts = STAGES[record.name], record.counts
    numbers = (
        record.built,
        record.up_to_date,
        len(record.failures),
        counts.get(stage.records_in, 0),
        sum(counts.get(name, 0) for name in stage.records_out),
        counts.get("rejected", 0),
        counts.get("dropped", 0) + counts.get("discarded", 0),
    )
    return (record.name, stage.tasks, *(f"{number:,}" for number in numbers), f"{record.duration_seconds:.1f}")


def _notes(run: RunRecord) -> Iterator[str]:
    extract = run.stages["extract"].counts if "extract" in run.stages else {}
    for name, (noun, text) in _EXTRACTED.items():
        if extract.get(name):
            yield f"{counted(extract[name], noun)} {text}"
    for task, attempts in run.retried.items():
        yield f"{task} succeeded at attempt {attempts}."
    yield from _some(
        [f"canonize:{lost.target}: {lost.text}{_rejects_file(lost)}" for lost in run.losses],
        "files with rejected or dropped records",
    )
    if run.losses_before:
        files = counted(run.losses_before, "unchanged file")
        yield f"{files} lost records when built: `lorchestra status` lists the rejected and dropped records."
    if run.unmatched:
        yield f"{counted(run.unmatched, 'raw file')} without a mapping: `lorchestra status` lists them."
    if run.unnamed:
        yield f"{counted(run.unnamed, 'file')} in the raw directory ignored: misnamed."
    if run.ignored:
        yield f"{counted(len(run.ignored), 'task')} ignored (doit ignore)."


def _warnings(run: RunRecord) -> Iterator[str]:
    unusual = [f"canonize:{lost.target}: {lost.warning}: {lost.text}" for lost in run.losses if lost.warning]
    yield from (f"Warning: {line}" for line in _some([*run.warnings, *unusual], "warnings"))


def _failures(run: RunRecord) -> Iterator[str]:
    for task, outcome in run.problems[:_LISTED]:
        yield f"Failed: {task}: {outcome.message}"
        if outcome.advice:
            yield f"  {outcome.advice}"
    if len(run.problems) > _LISTED:
        yield f"Failed: {len(run.problems) - _LISTED:,} more; `lorchestra status` lists them"
    if run.not_run:
        yield f"Not run because of that: {', '.join(_some(run.not_run, 'tasks'))}."
    stale = sorted({task.partition(":")[2].rpartition("-")[0] for task, _ in run.problems if task[:9] == "canonize:"})
    if stale and "index" in run.stages:
        yield f"For the failed files, the store keeps the records of their last success (types: {', '.join(stale)})."


def _next_step(run: RunRecord) -> Iterator[str]:
    if run.interrupted:
        running = sum(len(record.interrupted) for record in run.stages.values())
        yield f"INTERRUPTED, {counted(running, 'task')} unfinished. Finished work is kept; run again to continue."
    elif run.status != "SUCCESS":
        failures = counted(len(run.problems), "failure")
        yield f"{run.status}: {failures}. Fix what is listed, then run again: finished work is kept."
    elif run.nothing_to_do:
        yield f"Nothing to do: {run.nothing_to_do}"
    elif "index" in run.stages:
        projector = Path(sys.executable).with_name("vector-projector")
        yield f"Look at it: {os.path.relpath(projector)} search WORDS --store {os.path.relpath(run.store)}"


def _rejects_file(lost: Losses) -> str:
    return f"; see rejects/{lost.target}.jsonl next to the canonical file" if lost.rejected else ""


def _some(lines: list[str], what: str) -> Iterable[str]:
    return lines if len(lines) <= _LISTED else [*lines[:_LISTED], f"{len(lines) - _LISTED:,} more {what}"]
