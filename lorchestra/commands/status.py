"""`lorchestra status`: the last run, what is out of date, what failed, and what to do next."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lorchestra import phi
from lorchestra.base.errors import Exit, Failure
from lorchestra.base.wording import counted, local_time
from lorchestra.history import anomalies, running, runs
from lorchestra.history.log import timestamp
from lorchestra.history.runs import Losses
from lorchestra.history.stages import STAGES
from lorchestra.planning import preflight
from lorchestra.planning.config import Config, Source
from lorchestra.planning.snapshot import VALUES, Snapshot
from lorchestra.records import targets
from lorchestra.stages.extract import extraction
from lorchestra.storage import listing

_LISTED = 10
PRIVATE = "private"
UP_TO_DATE, IGNORED = "up to date", "ignored (doit ignore)"
_UNFINISHED = {running.RUNNING: "RUNNING", running.KILLED: "KILLED before it ended; finished work is kept"}


def status(path: Path) -> dict[str, Any]:
    """The state of the pipeline as data, ready for JSON. Changes nothing. Raises Failure if it cannot be determined."""
    snapshot = preflight.snapshot(path)
    config = snapshot.config
    state = runs.read(config.log_directory)
    failures = {task: code for name in STAGES for task, code in _stage(state, name).get("failures", {}).items()}
    sources = {name: known for source in config.extract.sources for name, known in _sources(snapshot, source)}
    recorded = list(runs.runs(config.log_directory, anomalies.COMPARED))
    for name in sources:
        sources[name] |= _deliveries(name, recorded)
        if code := failures.get(f"extract:{name}"):
            sources[name]["failed"] = code
    index = {type_: reason or UP_TO_DATE for type_, reason in sorted(snapshot.index_reasons().items())}
    return {
        "pipeline": config.name,
        "config": str(config.path),
        "last_run": {key: state[key] for key in ("last_run", "status", "duration_seconds") if key in state},
        "unfinished_run": running.unfinished(config.work_directory),
        "phi": _phi(snapshot),
        "sources": sources,
        "raw_files": sum(len(target.inputs) for target in snapshot.plan.targets),
        "canonical": _canonical(snapshot),
        "losses": {lost.target: _loss(lost, config) for lost in snapshot.losses()},
        "index": {type_: IGNORED if snapshot.store.ignored(f"index:{type_}") else why for type_, why in index.items()},
        "failures": failures,
        "ignored": snapshot.store.all_ignored,
        "stale": [stale.name for stale in snapshot.stale],
        "unmatched": list(snapshot.plan.unmatched),
        "unnamed": snapshot.plan.unnamed,
        "refused_files": _refused(config),
        "disk": _disk(config),
    }


def _deliveries(source: str, recorded: list[dict[str, Any]]) -> dict[str, Any]:
    """When a source last delivered something, its usual rate, and whether it is silent; only what is known."""
    found = anomalies.deliveries(recorded, source)
    silent = anomalies.silence(source, found, datetime.now(UTC))
    known = {
        "last_delivery": next((moment for moment, count in reversed(found) if count), None),
        "usual_per_day": anomalies.usual_per_day(found),
        "silent": silent.text if silent else None,
    }
    return {key: value for key, value in known.items() if value is not None}


def _refused(config: Config) -> dict[str, int]:
    """How many files of each source wait for a decision."""
    root = config.work_directory / "refused"
    counts = {}
    for source in sorted(listing.read(root).directories):
        attempts = (listing.read(root / source / attempt) for attempt in listing.read(root / source).directories)
        names = [name for attempt in attempts for name, _ in attempt.entries()]
        counts[source] = sum(name[0] != "." for name in names)
    return {source: count for source, count in counts.items() if count}


def _disk(config: Config) -> dict[str, int]:
    """Bytes in the files of each directory, and bytes that are free where they are."""
    directories = {
        "raw": config.extract.output_dir,
        "canonical": config.canonize.output_dir,
        "store": config.index.output_dir,
        "work": config.work_directory,
        "logs": config.log_directory,
    }
    existing = next(path for path in (config.phi_directory, *config.phi_directory.parents) if path.is_dir())
    return {name: _size(path) for name, path in directories.items()} | {"free": shutil.disk_usage(existing).free}


def _size(directory: Path) -> int:
    found = listing.read(directory)
    return sum(status.st_size for status in found.files.values()) + sum(_size(directory / n) for n in found.directories)


def _canonical(snapshot: Snapshot) -> dict[str, Any]:
    verdicts = [
        (target.name, snapshot.verdict(target).reasons)
        for target in snapshot.plan.targets
        if not snapshot.store.ignored(f"canonize:{target.name}")
    ]
    return {
        "files": len(snapshot.plan.targets),
        "up_to_date": sum(not reasons for _, reasons in verdicts),
        "to_make": {name: list(reasons) for name, reasons in verdicts if reasons},
    }


def _loss(lost: Losses, config: Config) -> dict[str, Any]:
    file = targets.files(config.canonize.output_dir, lost.target).rejects if lost.rejected else None
    counts = {"records_in": lost.records_in, "rejected": lost.rejected, "dropped": lost.dropped}
    return counts | {"text": lost.text, "warning": lost.warning, "rejects_file": file}


def exit_status(state: dict[str, Any]) -> Exit:
    """The exit status for scripts: PERMISSION if others can access PHI, UNEXPECTED if the last run failed, else OK."""
    if state["phi"] != PRIVATE:
        return Exit.PERMISSION
    if (state["unfinished_run"] or {}).get("status") == running.KILLED:
        return Exit.UNEXPECTED
    succeeded = state["last_run"].get("status", "SUCCESS") == "SUCCESS" and not state["failures"]
    return Exit.OK if succeeded else Exit.UNEXPECTED


def text(state: dict[str, Any]) -> str:
    """The state for people."""
    return "\n".join(_lines(state)) + "\n"


def _phi(snapshot: Snapshot) -> str:
    try:
        phi.refuse(preflight.examine(snapshot))
    except Failure as failure:
        return failure.message
    return PRIVATE


def _sources(snapshot: Snapshot, source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is known about a source, or about each source that a Meltano entry stands for."""
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
    yield f"last run   {_last_run(last) if last else 'none'}"
    if unfinished := state["unfinished_run"]:
        yield f"this run   {local_time(unfinished['began'])}  {_UNFINISHED[unfinished['status']]}"
    yield f"phi        {state['phi']}"
    for name, source in state["sources"].items():
        yield f"extract    {name:<36} {_source(source)}"
    fresh = f"{canonical['up_to_date']:,} of {counted(canonical['files'], 'file')} up to date"
    yield f"canonize   {fresh}, from {counted(state['raw_files'], 'raw file')}"
    yield from _some("to build", [f"{name}: {'; '.join(reasons)}" for name, reasons in canonical["to_make"].items()])
    for reason, count in Counter(state["index"].values()).items():
        types = ", ".join(name for name, why in state["index"].items() if why == reason)
        yield f"index      {types}: {reason}" if count else ""
    yield from _some("lost", [f"{name}: {_loss_text(lost)}" for name, lost in state["losses"].items()])
    yield from _some(
        "ignored", [f"{task}: `doit forget {task}` makes it run again" for task in state["ignored"] if ":" in task]
    )
    yield from _some("failed", [f"{task}: {code}" for task, code in state["failures"].items()])
    yield from _some(
        "stale", [f"{name}: no raw file left; remove it with `lorchestra clean --stale`" for name in state["stale"]]
    )
    yield from _some("unmatched", [f"{name}: matches no source_pattern; ignored" for name in state["unmatched"]])
    yield from _some(
        "refused",
        [
            f"{name}: {counted(count, 'file')}; see `lorchestra refused`"
            for name, count in state["refused_files"].items()
        ],
    )
    if rejected := sum(lost["rejected"] for lost in state["losses"].values()):
        yield f"rejects    {counted(rejected, 'record')} rejected; fix the transform or the source, then run again"
    yield f"disk       {', '.join(f'{name} {_bytes(size)}' for name, size in state['disk'].items())}"
    if state["unnamed"]:
        files = counted(state["unnamed"], "file")
        yield f"misnamed   {files} in the raw directory: not named {{source}}-{{date}}.jsonl; ignored"
    yield f"next       {_next_step(state)}"


def _last_run(last: dict[str, Any]) -> str:
    return f"{local_time(last['last_run'])}  {last['status']}  {last['duration_seconds']:.1f} s"


def _next_step(state: dict[str, Any]) -> str:
    """The most urgent thing to do, in one sentence."""
    if state["phi"] != PRIVATE:
        return "make the PHI directories private, as shown under phi"
    if exit_status(state) != Exit.OK:
        return "fix what failed, then `lorchestra run`; finished work is kept"
    if state["canonical"]["to_make"] or any(reason not in (UP_TO_DATE, IGNORED) for reason in state["index"].values()):
        return "`lorchestra run`, or `lorchestra run --stage index` without querying sources"
    return "nothing to do: everything is up to date" if state["last_run"] else "`lorchestra run`"


def _source(source: dict[str, Any]) -> str:
    if "failure" in source:
        return str(source["failure"])
    failed = f"failed: {source['failed']}; " if "failed" in source else ""
    if "last_success" not in source:
        return f"{failed}no successful extraction yet"
    seen = (
        f"{failed}{local_time(source['last_success'])}  "
        f"{counted(source['records'], 'record')}, {source['new_records']:,} new"
    )
    if "bookmark" in source:
        age = datetime.now(UTC) - datetime.fromisoformat(source["bookmark"])
        seen += f", bookmark moved {age.days} d {age.seconds // 3600} h ago"
    if "last_delivery" in source:
        age = datetime.now(UTC) - datetime.fromisoformat(source["last_delivery"])
        seen += f", last delivery {anomalies.duration(age.total_seconds())} ago"
    if "usual_per_day" in source:
        seen += f", usually {source['usual_per_day']:,.0f} a day"
    return f"{seen}, SILENT" if "silent" in source else seen


def _bytes(size: float) -> str:
    """`812 B`, `1.4 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} TiB"


def _loss_text(lost: dict[str, Any]) -> str:
    warning = f"{lost['warning']}: " if lost["warning"] else ""
    where = f"; see {os.path.relpath(lost['rejects_file'])}" if lost["rejects_file"] else ""
    return f"{warning}{lost['text']}{where}"


def _some(label: str, lines: list[str]) -> Iterator[str]:
    for line in lines[:_LISTED]:
        yield f"{label:<10} {line}"
    if len(lines) > _LISTED:
        yield f"{label:<10} and {len(lines) - _LISTED:,} more; --json lists all"
