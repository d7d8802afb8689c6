"""What is judged when all tasks have ended: too little data, and what a failure kept from running."""

from __future__ import annotations

from collections.abc import Sequence

from lorchestra.base.errors import Code
from lorchestra.base.wording import counted
from lorchestra.history.runs import RunRecord
from lorchestra.history.stages import STAGES
from lorchestra.planning.snapshot import Snapshot
from lorchestra.scheduler import selection
from lorchestra.scheduler.reporter import Reporter


def judge(snapshot: Snapshot, run: RunRecord, reporter: Reporter, selected: Sequence[str]) -> None:
    """Complete the run's record."""
    _check_extraction(snapshot, run, reporter)
    if run.aborted or (snapshot.config.fail_fast and run.problems):
        _note_what_did_not_run(snapshot, run, reporter, selected)
    if not run.stages and not run.ignored and {*STAGES} & {word.partition(":")[0] for word in selected}:
        extract = snapshot.config.extract
        sources = "" if extract.sources else ", and pipeline.yaml has no sources"
        run.nothing_to_do = f"{extract.output_dir} holds no raw files{sources}."


def _check_extraction(snapshot: Snapshot, run: RunRecord, reporter: Reporter) -> None:
    stage, limits = run.stages.get("extract"), snapshot.config.extract
    if stage and (len(stage.output_files) < limits.require_files or stage.records < limits.min_records):
        reporter.fail_stage(
            "extract",
            Code.TOO_FEW_FILES,
            f"extraction produced {counted(len(stage.output_files), 'file')} ({counted(stage.records, 'record')}); "
            f"validation asks for at least {counted(limits.require_files, 'file')} "
            f"and {counted(limits.min_records, 'record')}",
        )


def _note_what_did_not_run(snapshot: Snapshot, run: RunRecord, reporter: Reporter, selected: Sequence[str]) -> None:
    """The stages, and the files of a stage, that the run did not reach after a failure."""
    run.not_run += [stage for stage in STAGES if selection.of_stage(stage, selected) and stage not in run.stages]
    if "canonize" in run.stages:
        planned = {f"canonize:{target.name}" for target in snapshot.plan.targets}
        run.not_run += sorted(planned - reporter.finished - {task for task, _ in run.problems})
