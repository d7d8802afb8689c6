"""What a notification says: how a run ended, in codes and counts. No name of a source, file or task, and no PHI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lorchestra.base.errors import Code
from lorchestra.base.wording import counted
from lorchestra.history.log import timestamp
from lorchestra.history.runs import RunRecord

_COUNTS = (
    "records", "new_records", "records_in", "records_out", "rejected", "dropped", "replaced", "discarded", "refused",
    "waiting", "inserted", "revised",
)  # fmt: skip
"""The counts that are passed on. Other packages' sources may count under names of their own."""

Message = dict[str, Any]


def of_run(pipeline: str, run: RunRecord, before: str | None) -> Message:
    """The message about a run. `before` is the status of the run before it, None if there was none."""
    failures = Counter(str(problem.outcome.code) for problem in run.problems)
    warnings = len(run.warnings) + sum(bool(lost.warning) for lost in run.losses)
    stages = {
        name: {
            "status": stage.status,
            "built": stage.built,
            "up_to_date": stage.up_to_date,
            "failed": len(stage.failures),
            "counts": {key: stage.counts[key] for key in _COUNTS if stage.counts.get(key)},
        }
        for name, stage in run.stages.items()
    }
    message = {
        "events": _events(run.status, before, warnings),
        "pipeline": pipeline,
        "run_id": run.run_id,
        "began": timestamp(run.began),
        "status": run.status,
        "duration_seconds": run.age_seconds,
        "stages": stages,
        "failures": dict(failures),
        "warnings": warnings,
    }
    return message | {"text": _text(message)}


def of_refused_run(pipeline: str, code: Code) -> Message:
    """The message about a run that a check kept from beginning."""
    message = {"events": ["failure", "run"], "pipeline": pipeline, "status": "FAILED", "stages": {}, "warnings": 0}
    message["failures"] = {str(code): 1}
    return message | {"text": _text(message)}


def _events(status: str, before: str | None, warnings: int) -> list[str]:
    if status == "INTERRUPTED":
        return []  # whoever interrupted it knows
    recovered = status == "SUCCESS" and before not in ("SUCCESS", None)
    kinds = {"failure": status != "SUCCESS", "anomaly": warnings, "recovery": recovered, "run": True}
    return [kind for kind, applies in kinds.items() if applies]


def _text(message: Mapping[str, Any]) -> str:
    """One line: `lorchestra health: FAILED (source_failed: 1); extract: 2 done, 1 failed; canonize: ...`."""
    codes = ", ".join(f"{code}: {count}" for code, count in message["failures"].items())
    parts = [f"lorchestra {message['pipeline']}: {message['status']}{f' ({codes})' if codes else ''}"]
    for name, stage in message["stages"].items():
        failed = f", {stage['failed']:,} failed" if stage["failed"] else ""
        rejected = stage["counts"].get("rejected", 0)
        lost = f", {counted(rejected, 'record')} rejected" if rejected else ""
        parts.append(f"{name}: {stage['built']:,} done, {stage['up_to_date']:,} unchanged{failed}{lost}")
    if message["warnings"]:
        parts.append(counted(message["warnings"], "warning"))
    return "; ".join(parts)
