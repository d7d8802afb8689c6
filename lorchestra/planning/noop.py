"""The no-op: when nothing has moved since a run in which all went well, doit need not even be imported.

A note of two digests is left by such a run: of all that the data stages work from, taken before they began, and of what
they have made. What is appended to a raw file during a run thus breaks the silence.
"""

from __future__ import annotations

from collections.abc import Iterable

from lorchestra.history.runs import RunRecord
from lorchestra.planning.snapshot import Snapshot

DATA_STAGES = ("canonize", "index")
_FIELDS = 6


def note(snapshot: Snapshot, run: RunRecord, before: str, targets: int) -> None:
    """Leave the note of each data stage that was part of a run; take both away where something failed.

    A run of some of the `targets`, as doit lets one choose them, says nothing of the others.
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
    """Whether the stages have nothing to do; if so the run's record says it."""
    notes = {stage: snapshot.store.note(stage) for stage in stages}
    for stage, noted in notes.items():
        if not noted or len(noted) != _FIELDS or noted[:2] != [snapshot.inputs_digest, snapshot.outputs_digest(stage)]:
            return False
    for stage, noted in notes.items():
        run.stage(stage).up_to_date, run.stage(stage).unchanged = noted[2], True
        run.unmatched, run.unnamed, run.losses_before = noted[3:]
    return True
