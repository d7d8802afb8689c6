"""`lorchestra status`: what lies there, what the last run came to, what there is to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lorchestra import phi
from lorchestra.base.errors import Failure
from lorchestra.history import runs
from lorchestra.history.log import timestamp
from lorchestra.history.runs import RECORDS
from lorchestra.planning import preflight
from lorchestra.planning.config import Source
from lorchestra.planning.snapshot import VALUES, Snapshot
from lorchestra.stages.extract import extraction

_LISTED = 10


def status(path: Path) -> dict[str, Any]:
    """The pipeline's state as data, ready for JSON. Changes nothing. Raises Failure where nothing can be told."""
    snapshot = preflight.snapshot(path)
    config = snapshot.config
    state = runs.read(config.log_directory)
    verdicts = [(target, snapshot.verdict(target).reasons) for target in snapshot.plan.targets]
    return {
        "pipeline": config.name,
        "config": str(config.path),
        "last_run": {key: state[key] for key in ("last_run", "status", "duration_seconds") if key in state},
        "phi": _phi(snapshot),
        "sources": {name: told for source in config.extract.sources for name, told in _sources(snapshot, source)},
        "raw_files": sum(len(target.inputs) for target in snapshot.plan.targets),
        "canonical": {
            "files": len(verdicts),
            "up_to_date": sum(not reasons for _, reasons in verdicts),
            "to_make": {target.name: list(reasons) for target, reasons in verdicts if reasons},
        },
        "index": {type_: reason or "up to date" for type_, reason in sorted(snapshot.index_reasons().items())},
        "failures": {task: code for name in RECORDS for task, code in _stage(state, name).get("failures", {}).items()},
        "stale": [stale.name for stale in snapshot.stale],
        "unmatched": list(snapshot.plan.unmatched),
        "unnamed": snapshot.plan.unnamed,
    }


def told(state: dict[str, Any]) -> str:
    """The same for a person."""
    return "\n".join(_lines(state)) + "\n"


def _phi(snapshot: Snapshot) -> str:
    try:
        phi.refuse(preflight.examine(snapshot))
    except Failure as failure:
        return failure.message
    return "private"


def _sources(snapshot: Snapshot, source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is known of a source, or of each that its entry stands for."""
    try:
        singles = extraction.expand(source)
    except Failure as failure:
        yield source.name, {"failure": failure.message}
        return
    for single in singles:
        values = snapshot.store.get(f"extract:{single.name}", VALUES) or {}
        known = {key: values[key] for key in ("last_success", "records", "new_records") if key in values}
        moved = extraction.bookmark(single, snapshot.config.work_directory)
        yield single.name, known | ({"bookmark": timestamp(moved)} if moved else {})


def _stage(state: dict[str, Any], name: str) -> dict[str, Any]:
    stage: dict[str, Any] = state.get("stages", {}).get(name, {})
    return stage


def _lines(state: dict[str, Any]) -> Iterator[str]:
    last, canonical = state["last_run"], state["canonical"]
    yield f"pipeline   {state['pipeline']}"
    yield (
        f"last run   {last['last_run']}  {last['status']}  {last['duration_seconds']:.1f} s"
        if last
        else "last run   none"
    )
    yield f"phi        {state['phi']}"
    for name, source in state["sources"].items():
        yield f"extract    {name:<36} {_seen(source)}"
    fresh = f"{canonical['up_to_date']:,} of {canonical['files']:,} files up to date"
    yield f"canonize   {fresh}, from {state['raw_files']:,} raw files"
    yield from _some("to make", [f"{name}: {'; '.join(reasons)}" for name, reasons in canonical["to_make"].items()])
    for reason, count in Counter(state["index"].values()).items():
        types = ", ".join(name for name, why in state["index"].items() if why == reason)
        yield f"index      {types}: {reason}" if count else ""
    yield from _some("failed", [f"{task}: {code}" for task, code in state["failures"].items()])
    yield from _some(
        "stale", [f"{name}: no raw file accounts for it; `lorchestra clean --stale`" for name in state["stale"]]
    )
    yield from _some("unmatched", [f"{name}: no mapping wants it" for name in state["unmatched"]])
    if state["unnamed"]:
        yield f"unnamed    {state['unnamed']:,} files in the raw directory do not follow the naming convention"


def _seen(source: dict[str, Any]) -> str:
    if "failure" in source:
        return str(source["failure"])
    if "last_success" not in source:
        return "never asked"
    told = f"{source['last_success']}  {source['records']:,} records, {source['new_records']:,} new"
    if "bookmark" in source:
        age = datetime.now(UTC) - datetime.fromisoformat(source["bookmark"])
        told += f", bookmark moved {age.days} d {age.seconds // 3600} h ago"
    return told


def _some(label: str, lines: list[str]) -> Iterator[str]:
    for line in lines[:_LISTED]:
        yield f"{label:<10} {line}"
    if len(lines) > _LISTED:
        yield f"{label:<10} and {len(lines) - _LISTED:,} more: --json tells all"
