"""What the audit log says about runs: their begin, and their end with stages, counts, files and transforms."""

from __future__ import annotations

from collections.abc import Sequence

from lorchestra.history.runs import RunRecord
from lorchestra.planning.snapshot import Snapshot
from lorchestra.storage import audit
from lorchestra.storage.audit import Trail


def begin(snapshot: Snapshot, stages: Sequence[str]) -> None:
    """Record that `lorchestra run` begins. Raises Failure."""
    audit.append(_trail(snapshot), "lorchestra run", stages=list(stages))


def write(snapshot: Snapshot, run: RunRecord) -> None:
    """Record how a run ended. Raises Failure.

    A run that found nothing to do has looked at no file, so it names none. Transforms are named with the digest of
    everything that they consist of.
    """
    stages = run.stages.values()
    files = [file for stage in stages for file in stage.output_files]
    transforms = (
        snapshot.transforms if not all(stage.unchanged for stage in stages) and "canonize" in run.stages else {}
    )
    audit.append(
        _trail(snapshot),
        "run ended",
        run_id=run.run_id,
        status=run.status,
        counts={stage.name: _counts(stage.counts, stage.built, stage.up_to_date) for stage in stages},
        transforms={id_: transform.fingerprint[:16] for id_, transform in transforms.items()},
        **audit.named(files),
    )


def _counts(counts: dict[str, int], built: int, up_to_date: int) -> dict[str, int]:
    return {"built": built, "up_to_date": up_to_date, **counts}


def _trail(snapshot: Snapshot) -> Trail:
    return audit.create(snapshot.config.work_directory, snapshot.config.log_directory)
