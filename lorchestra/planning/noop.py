"""The fast path when nothing changed: doit is not even imported.

A successful run leaves a note with two digests: of everything that the data stages read, taken before they began, and
of what they built. Data that is appended to a raw file during a run therefore changes the first digest.
"""

from __future__ import annotations

from collections.abc import Iterable

from lorchestra.history.runs import RunRecord
from lorchestra.planning.snapshot import Snapshot

DATA_STAGES = ("canonize", "index")
_FIELDS = 6


def note(snapshot: Snapshot, run: RunRecord, before: str, targets: int) -> None:
    """Write the note of each data stage of a run; remove the notes after a failure.

    A run of only some of the `targets` proves nothing about the others and leaves no note.
    """
    for stage in DATA_STAGES:
        ran = run.stages.get(stage)
        done = ran.built + ran.up_to_date if ran else 0
        lost = len(run.losses) + run.losses_before
        if ran is None and not snapshot.store.note(stage):
            continue
        if run.status != "SUCCESS" or (stage == "index" and any(snapshot.index_reasons().values())):
            snapshot.store.write_note(stage, None)
        elif ran and (stage == "index" or done == targets):
            digests = [before, snapshot.outputs_digest(stage)]
            snapshot.store.write_note(stage, [*digests, done, run.unmatched, run.unnamed, lost])


def holds(snapshot: Snapshot, stages: Iterable[str], run: RunRecord) -> bool:
    """Whether the stages have nothing to do; if so, this is entered in the run's record."""
    notes = {stage: snapshot.store.note(stage) for stage in stages}
    for stage, noted in notes.items():
        if not noted or len(noted) != _FIELDS or noted[:2] != [snapshot.inputs_digest, snapshot.outputs_digest(stage)]:
            return False
    for stage, noted in notes.items():
        run.stage(stage).up_to_date, run.stage(stage).unchanged = noted[2], True
        run.unmatched, run.unnamed, run.losses_before = noted[3:]
    return True
