"""The stages: what their tasks are and what they count, for the run's record and for the table at the end."""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    """A stage. The strings name values that its tasks return."""

    name: str
    tasks: str
    """What one task of the stage is, in the plural."""
    state_key: str
    """What the number of records is called in state.json."""
    records: str
    """Counts the records that the outputs hold now."""
    records_in: str
    records_out: tuple[str, ...]


STAGES = {
    stage.name: stage
    for stage in (
        Stage("extract", "sources", "records_extracted", "records", "records", ("new_records",)),
        Stage("canonize", "files", "records_transformed", "records_out", "records_in", ("records_out",)),
        Stage("index", "types", "records_indexed", "objects", "records_in", ("inserted", "revised")),
    )
}
"""In the order in which they run."""


def of_task(task: str) -> Stage | None:
    """The stage of a task such as `canonize:email-20251112`; None for other tasks."""
    return STAGES.get(task.partition(":")[0])
