"""One job of `can serve`: files in; output, rejects and lineage out, all three or none."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lorchestra import __version__
from lorchestra.base import yaml_schema
from lorchestra.base.errors import Code, Failure, Outcome, visible
from lorchestra.base.program import place
from lorchestra.base.yaml_document import Document
from lorchestra.components.canonizer.job.canonization import Canonization, Policy, Progress, Tally
from lorchestra.components.canonizer.record import engines
from lorchestra.components.canonizer.record.requests import Order
from lorchestra.components.canonizer.workers.chunks import cut, opened
from lorchestra.components.canonizer.workers.pool import Pool
from lorchestra.records import lineage as lineage_format
from lorchestra.records.lineage import Digest, Runs
from lorchestra.records.names import source_of
from lorchestra.records.reject_limit import Limit
from lorchestra.storage.atomic import AtomicFile, commit, stage

Send = Callable[[dict[str, Any]], None]
_PROGRESS_SECONDS = 1.0


class Input(NamedTuple):
    """A raw file and the metadata file of the transform for it."""

    path: str
    meta: str


class Job(NamedTuple):
    """A job; job.schema.json defines what is valid, docs/contracts.md explains it."""

    inputs: list[Input]
    output: Path
    rejects: Path
    lineage: Path
    schemas: str | None
    engine: str | None
    skip_invalid: bool
    require_checksums: bool
    max_rejects: Limit
    recipe: dict[str, str] | None
    require: Mapping[str, Any]
    progress: bool


def answer(line: bytes, pool: Pool, send: Send) -> dict[str, Any]:
    """Do the job in a line; return its result, also if it failed. `send` takes the progress that comes before it."""
    started = time.monotonic()
    identifier = None
    try:
        fields = _fields(line)
        identifier = fields.get("id")
        job = _job(fields)
        tally = _canonize(job, pool, _progress(identifier, send) if job.progress else None)
    except (Failure, OSError) as error:
        outcome = Outcome.of(error)
    except Exception as bug:
        outcome = Outcome.of(Failure(Code.UNEXPECTED, f"unexpected {type(bug).__name__} at {place(bug)}"))
    else:
        seconds = round(time.monotonic() - started, 3)
        return {"id": identifier, "status": "ok", **tally.report(), "duration_seconds": seconds}
    code, message, advice = outcome
    return {"id": identifier, "status": "failed", "code": code, "what": message, "advice": advice}


def _progress(identifier: object, send: Send) -> Progress:
    """Sends the counts so far, at most once a second."""
    last = time.monotonic()

    def progress(records: int, rejected: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _PROGRESS_SECONDS:
            last = time.monotonic()
            send({"id": identifier, "progress": {"records_in": records, "rejected": rejected}})

    return progress


def _canonize(job: Job, pool: Pool, progress: Progress | None) -> Tally:
    _require("canonizer", job.require.get("canonizer"), engines.canonizer_version())
    wanted = job.require.get("transforms", {})
    with stage(job.rejects, job.output, job.lineage, optional=[job.rejects]) as (rejects, output, lineage):
        work = Canonization(pool, Policy(job.skip_invalid, job.max_rejects), output.write, rejects.write, progress)
        engine: dict[str, Any] = {"engine": None, "engine_version": None}
        inputs = []
        schemas = (job.schemas,) if job.schemas else ()
        for source in job.inputs:
            prepared = pool.prepare(
                Order(source.meta, schemas, job.engine, job.require_checksums, source_of(source.path))
            )
            for name, value in wanted.get(source.meta, {}).items():
                _require(f"{name} of {visible(source.meta)}", value, prepared["transform"].get(name))
            engine = {"engine": prepared["engine"], "engine_version": prepared["engine_version"]}
            inputs.append(_feed(work, source, prepared["transform"]))
        work.check_share()
        document = lineage_format.document(
            output=_entry(output, job, work.total.records_out),
            rejects=None if rejects.empty else _entry(rejects, job, work.total.rejected),
            inputs=inputs,
            settings={"skip_invalid": job.skip_invalid, "require_checksums": job.require_checksums},
            recipe=job.recipe,
            canonizer={"name": "can", "version": __version__, **engine},
        )
        lineage.write(orjson.dumps(document) + b"\n")
        commit([rejects, output, lineage])
    return work.total


def _require(what: str, wanted: str | None, found: object) -> None:
    """Refuse a job that was planned for other programs or transforms: its result would be taken for theirs."""
    if wanted is not None and wanted != found:
        raise Failure(Code.VERSION_MISMATCH, f"{what} is {visible(str(found))}; the job requires {visible(wanted)}")


def _feed(work: Canonization, source: Input, transform: dict[str, Any]) -> dict[str, Any]:
    name, digest, runs = Path(source.path).name, Digest(), Runs(work.total.records_out + 1)
    with opened(source.path) as descriptor:
        tally = work.feed(cut(descriptor, name, digest.update), name, descriptor, runs)
    return lineage_format.input_entry(name, digest, tally.counts(), transform, runs.runs)


def _entry(draft: AtomicFile, job: Job, records: int) -> dict[str, Any]:
    return lineage_format.output_entry(os.path.relpath(draft.path, job.output.parent), draft.digest, records)


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise Failure(Code.USAGE, "a job must be a JSON object on one line")
    return fields


def _job(fields: dict[str, Any]) -> Job:
    if finding := next(yaml_schema.check(Document(fields, {}), _schema()), None):
        raise Failure(Code.USAGE, finding.message, advice="A job is described in docs/contracts.md.")
    given = {key: value for key, value in fields.items() if value is not None}
    job = Job(
        inputs=[Input(source["path"], source["meta"]) for source in fields["inputs"]],
        output=Path(fields["output"]),
        rejects=Path(fields["rejects"]),
        lineage=Path(fields["lineage"]),
        schemas=fields.get("schemas"),
        engine=fields.get("engine"),
        skip_invalid=given.get("skip_invalid", True),
        require_checksums=given.get("require_checksums", True),
        max_rejects=fields.get("max_rejects"),
        progress=given.get("progress", False),
        recipe=fields.get("recipe"),
        require=given.get("require", {}),
    )
    written = {os.path.realpath(path) for path in (job.output, job.rejects, job.lineage)}
    if len(written) < 3 or written & {os.path.realpath(source.path) for source in job.inputs}:
        raise Failure(Code.USAGE, "output, rejects and lineage must be three files, and none of them an input")
    return job


@functools.cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("job.schema.json").read_bytes())
    return schema
