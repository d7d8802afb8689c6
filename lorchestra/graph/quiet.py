"""The no-op: when nothing has moved since a run in which all went well, doit need not even be imported.

A note of two digests is left by such a run: of all that the data stages work from, taken before they began, and of what
they have made. What is appended to a raw file during a run thus breaks the silence.
"""

from __future__ import annotations

from collections.abc import Iterable

from lorchestra.graph.survey import Survey
from lorchestra.ledger.history import RunRecord

DATA_STAGES = ("canonize", "index")


def note(survey: Survey, run: RunRecord, before: str) -> None:
    """Leave the note of a run for each data stage without a failure; take it away for the others."""
    if survey.ahead() != before:
        before = ""
    for stage in DATA_STAGES:
        record = run.stages.get(stage)
        if record is None or not before or record.failures or run.interrupted or _waiting(survey, stage):
            survey.store.write_note(stage, None)
        else:
            survey.store.write_note(
                stage, [before, survey.made(stage), record.built + record.up_to_date, run.unmatched, run.unnamed]
            )


def holds(survey: Survey, stages: Iterable[str], run: RunRecord) -> bool:
    """Whether the stages have nothing to do; if so the run's record says it."""
    ahead = survey.ahead()
    notes = {stage: survey.store.note(stage) for stage in stages}
    for stage, noted in notes.items():
        if not noted or noted[:2] != [ahead, survey.made(stage)]:
            return False
    for stage, noted in notes.items():
        run.stage(stage).up_to_date, run.stage(stage).unchanged = noted[2], True
        run.unmatched, run.unnamed = noted[3:]
    return True


def _waiting(survey: Survey, stage: str) -> bool:
    return stage == "index" and any(survey.index_reasons().values())
