"""`lorchestra trace`: the lineage of a record, upstream from an object and downstream from a raw line.

An object is traced to its canonical line, transform, raw line and source. A raw line is traced to its objects, or to
where it was rejected or dropped. Only names, numbers, digests and rules are shown, never what a record holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.history import materializations
from lorchestra.planning import preflight
from lorchestra.planning.config import Config
from lorchestra.planning.snapshot import Snapshot
from lorchestra.process import programs
from lorchestra.records import compressed, jsonl, lineage, names, rejects, targets

_LONGEST_ANSWER = 16 * 1024 * 1024
_CHANGED = "the raw file changed after this canonical file was built: `lorchestra run` updates it"
_EDITED = "the canonical file is not what its lineage describes: `lorchestra run` rebuilds it"
_EARLIER = "the store holds another version of this canonical file: `lorchestra run` updates it"
_STREAMED = "the record came in a batch of a stream, which leaves no files"
_NO_LINES = "the canonizer did not record which lines it made from which"


class Trace(NamedTuple):
    """One record on its way through the pipeline. None stands for what is unknown or does not exist.

    `outcome` is `object`, `rejected`, `dropped`, `blank`, `unmapped`, `not built`, `not indexed` or `unknown`. For a
    rejected record `rejected_by` is the stage, in the words of the rejects files. `runs` are run ids by task.
    """

    outcome: str
    note: str | None = None
    object: str | None = None
    revision: int | None = None
    state: str | None = None
    canonical_file: str | None = None
    canonical_line: int | None = None
    transform: dict[str, Any] | None = None
    raw_file: str | None = None
    raw_line: int | None = None
    source: str | None = None
    rejected_by: str | None = None
    rule: str | None = None
    schema_path: str | None = None
    spec_place: str | None = None
    runs: dict[str, str] | None = None


def trace(path: Path, what: str) -> list[Trace]:
    """Trace an object's id, or FILE:LINE of a raw or canonical file. `path` is the configuration file.

    Raises Failure(USAGE | MISSING) if there is no such object, file or line.
    """
    snapshot = preflight.snapshot(path)
    file, _, line = what.rpartition(":")
    try:
        found = list(_of_line(snapshot, file, line) if file else _of_object(snapshot.config, what))
    except OSError as error:
        raise from_os_error(error) from None
    tasks = {task for one in found for task in _tasks(one)}
    runs = materializations.last(snapshot.config.log_directory, tasks)
    return [one._replace(runs={task: runs[task] for task in _tasks(one) if task in runs}) for one in found]


def _tasks(one: Trace) -> list[str]:
    tasks = [f"extract:{one.source}"] if one.source else []
    if one.canonical_file:
        target = one.canonical_file.removesuffix(names.SUFFIX)
        tasks += [f"canonize:{target}", *([f"index:{target.rpartition('-')[0]}"] if one.object else [])]
    return tasks


def _of_object(config: Config, identity: str) -> Iterator[Trace]:
    """Upstream: each line that holds a revision of the object."""
    places = _places(config, identity)
    if places is None:
        advice = "`vector-projector list TYPE` shows ids. Retired revisions are in no file any more."
        raise Failure(Code.MISSING, "no single object that is in a canonical file has this id", advice=advice)
    for place in places:
        yield _with_object(_of_canonical(config, place["canonical_file"], place["canonical_line"]), place)


def _of_line(snapshot: Snapshot, file: str, line: str) -> Iterator[Trace]:
    if not (line.isascii() and line.isdigit() and int(line[:18]) > 0):
        raise Failure(Code.USAGE, "a line is written FILE:LINE; lines count from 1")
    name, number, config = Path(file).name, int(line[:18]), snapshot.config
    is_raw = names.parse_raw(name) and (config.extract.output_dir / name).is_file()
    is_canonical = names.parse_canonical(name) and (config.canonize.output_dir / name).is_file()
    if is_raw and is_canonical:  # then the path decides
        is_raw = Path(file).absolute().parent != config.canonize.output_dir.absolute()
    if not (is_raw or is_canonical):
        raise Failure(Code.MISSING, "there is no such raw or canonical file", advice="Give its name or path.")
    _require_line((config.extract if is_raw else config.canonize).output_dir / name, number)
    return _of_raw(snapshot, name, number) if is_raw else _downstream(config, _of_canonical(config, name, number))


def _require_line(path: Path, line: int) -> None:
    if line > (count := jsonl.count(str(path))):
        raise Failure(Code.MISSING, f"{path.name} has {count:,} lines")


def _of_canonical(config: Config, file: str, line: int) -> Trace:
    """Upstream from a canonical line."""
    one = Trace("not indexed", canonical_file=file, canonical_line=line)
    if names.parse_batch(file):
        return one._replace(note=_STREAMED)
    built = targets.files(config.canonize.output_dir, file.removesuffix(names.SUFFIX))
    document = lineage.read(Path(built.lineage))
    if document is None or _digest(Path(built.output)) != document["output"]["sha256"]:
        return one._replace(note=_EDITED)
    found = lineage.raw_line(document, line)
    return _with_input(one, *found) if found else one._replace(note=_NO_LINES)


def _of_raw(snapshot: Snapshot, name: str, line: int) -> Iterator[Trace]:
    """Downstream from a raw line, through every canonical file that is built from it."""
    one = Trace("unmapped", raw_file=name, raw_line=line, source=names.source_of(name))
    config = snapshot.config
    built = [target for target in snapshot.plan.targets if any(input_.name == name for input_ in target.inputs)]
    if not built:
        yield one._replace(note="no mapping in pipeline.yaml matches this file")
    for target in built:
        yield from _through(config, target.name, one._replace(outcome="not built", canonical_file=target.file))


def _through(config: Config, target: str, one: Trace) -> Iterator[Trace]:
    built = targets.files(config.canonize.output_dir, target)
    raw, line = config.extract.output_dir / str(one.raw_file), one.raw_line or 0
    document = lineage.read(Path(built.lineage)) or {"inputs": []}
    entry = next((entry for entry in document["inputs"] if entry["name"] == one.raw_file), None)
    if entry is None or entry["sha256"] != _digest(raw):
        yield one._replace(note=_CHANGED if entry else None)
        return
    one = _with_input(one, entry, line)
    found = lineage.canonical_lines(entry, line)
    for canonical in found:
        yield from _downstream(config, one._replace(canonical_line=canonical))
    if not found:
        yield _lost(one, entry, Path(built.rejects), raw)


def _lost(one: Trace, entry: dict[str, Any], rejects_file: Path, raw: Path) -> Trace:
    """A raw line that gave no canonical line."""
    rejected = [reason for reason in rejects.reasons(rejects_file) if reason.get("input") == one.raw_file]
    for reason in rejected:
        if reason.get("line") == one.raw_line:
            return _rejected(one, reason)
    if len(rejected) < entry["rejected"] or (entry["records_out"] and not entry["lines"]):
        return one._replace(outcome="unknown", note=_NO_LINES)
    with compressed.reader(open(raw, "rb", buffering=0), raw.name) as file:
        if all(number != one.raw_line for number, _ in jsonl.read(file, raw.name)):
            return one._replace(outcome="blank", note="the line is empty")
    return one._replace(outcome="dropped", note="the transform returned nothing for this record")


def _downstream(config: Config, one: Trace) -> Iterator[Trace]:
    """From a canonical line to the object that it became."""
    file, line = str(one.canonical_file), one.canonical_line
    places = [
        place
        for place in _places(config, f"{file}:{line}") or ()
        if (place["canonical_file"], place["canonical_line"]) == (file, line)
    ]
    for place in places:
        yield _with_object(one, place)
    if not places:
        why = rejects.reasons(config.index.output_dir / "rejects" / file)
        rejected = next((reason for reason in why if reason.get("line") == line), None)
        yield _rejected(one, rejected) if rejected else one._replace(outcome="not indexed")


def _places(config: Config, what: str) -> list[dict[str, Any]] | None:
    """What the store says about the origin of an object or a canonical line; None if it finds none.

    Raises Failure(CONFIG | COMPONENT_FAILED).
    """
    index = config.index
    if index.sink != "store":
        raise Failure(Code.CONFIG, f"the sink {index.sink} cannot be asked for objects")
    if not (index.output_dir / "metadata.db").exists():
        return None
    argv = [str(programs.find(index.command[0])), *index.command[1:], "get", what, "--origin", "--format", "jsonl"]
    argv += ["--store", str(index.output_dir), "--input", str(config.canonize.output_dir)]
    status, output = programs.answer(argv, longest=_LONGEST_ANSWER)
    if status not in (0, 2):  # 2: there is none
        advice = "Run `vector-projector verify`."
        raise Failure(Code.COMPONENT_FAILED, f"the store could not be asked: status {status}", advice=advice)
    return [json.loads(line) for line in output.splitlines()] or None if status == 0 else None


def _with_object(one: Trace, place: dict[str, Any]) -> Trace:
    one = one._replace(outcome="object", object=place["id"], revision=place["revision"], state=place["state"])
    if one.raw_line is not None and (place["raw_file"], place["raw_line"]) != (one.raw_file, one.raw_line):
        return one._replace(note=_EARLIER, raw_file=None, raw_line=None, source=None, transform=None)
    return one


def _with_input(one: Trace, entry: Any, line: int) -> Trace:
    used = {key: entry["transform"].get(key) for key in ("id", "version", "meta_sha256", "spec_sha256")}
    return one._replace(
        transform=used, raw_file=entry["name"], raw_line=line, source=names.source_of(entry["name"]) or None
    )


def _rejected(one: Trace, reason: dict[str, Any]) -> Trace:
    return one._replace(
        outcome="rejected",
        rejected_by=reason.get("stage"),
        rule=reason.get("rule"),
        schema_path=reason.get("schema_path"),
        spec_place=reason.get("spec_place"),
    )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def as_json(one: Trace) -> dict[str, Any]:
    """The fields that are known."""
    return {key: value for key, value in one._asdict().items() if value is not None}


def text(one: Trace) -> str:
    """A few lines for people, from the object up to the source."""
    runs = one.runs or {}
    by_stage = {task.partition(":")[0]: f"  (run {run})" for task, run in runs.items()}
    used = one.transform or {}
    version = f" {used['version']}" if used.get("version") else ""
    digest = f", spec sha256 {used['spec_sha256'][:16]}" if used.get("spec_sha256") else ""
    rows = [
        (one.outcome, _outcome(one), "index"),
        ("canonical", _place(one.canonical_file, one.canonical_line), "canonize"),
        ("transform", f"{used['id']}{version}{digest}" if used else "", ""),
        ("raw", _place(one.raw_file, one.raw_line), ""),
        ("source", one.source or "", "extract"),
        ("note", one.note or "", ""),
    ]
    return "".join(
        f"{'' if at == 0 else '  '}{name:<{12 if at == 0 else 10}} {value}{by_stage.get(stage, '')}".rstrip() + "\n"
        for at, (name, value, stage) in enumerate(rows)
        if at == 0 or value
    )


def _outcome(one: Trace) -> str:
    if one.object:
        return f"{one.object} revision {one.revision}, {one.state}"
    if one.rejected_by:
        place = one.spec_place or one.schema_path
        return f"by {one.rejected_by}: {one.rule}" + (f" at {place}" if place else "")
    return ""


def _place(file: str | None, line: int | None) -> str:
    return "" if file is None else file if line is None else f"{file}:{line}"
