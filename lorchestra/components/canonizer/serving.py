"""One job of `can serve`: files in; output, rejects and lineage out, all three or none."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from lorchestra import __version__
from lorchestra.base import private
from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.components.canonizer.canonize import Digest, Policy, Runs, Tally, canonize
from lorchestra.components.canonizer.chunks import cut
from lorchestra.components.canonizer.pool import Pool

LINEAGE_FORMAT = "lorchestra.lineage/1"


def run(job: Any, pool: Pool) -> dict[str, Any]:
    """Do a job; return its result, also where it failed."""
    started = time.monotonic()
    identifier = job.get("id") if isinstance(job, dict) else None
    try:
        tally = _canonize(job, pool)
    except Failure as failure:
        return {"id": identifier, "status": "failed", "code": failure.code, "what": failure.what}
    seconds = round(time.monotonic() - started, 3)
    return {"id": identifier, "status": "ok", **tally.report(), "duration_seconds": seconds}


def _canonize(job: Any, pool: Pool) -> Tally:
    _check(job)
    output, rejects, lineage = (Path(job[key]) for key in ("output", "rejects", "lineage"))
    settings = {"skip_invalid": job.get("skip_invalid", True), "require_checksums": job.get("require_checksums", True)}
    policy = Policy(settings["skip_invalid"], job.get("max_rejects"))
    total, inputs = Tally(), []
    engine: dict[str, Any] = {}
    with contextlib.ExitStack() as files:
        # The stack unwinds backwards: whatever is not renamed by then is removed.
        drafts = {path: files.enter_context(_draft(path)) for path in (rejects, output, lineage)}
        written, aside = _Written(drafts[output]), _Written(drafts[rejects])
        for source in job["inputs"]:
            engine = pool.prepare(
                {
                    "meta": source["meta"],
                    "schemas": job.get("schemas"),
                    "engine": job.get("engine"),
                    "require_checksums": settings["require_checksums"],
                }
            )
            inputs.append(_input(source["path"], pool, written, aside, total, policy, engine["transform"]))
        told = {
            "format": LINEAGE_FORMAT,
            "output": {"name": output.name, **written.digest.describe(), "records": total.records_out},
            "rejects": {
                "name": os.path.relpath(rejects, output.parent),
                **aside.digest.describe(),
                "records": total.rejected,
            }
            if total.rejected
            else None,
            "inputs": inputs,
            "settings": settings,
            "recipe": job.get("recipe", {}),
            "canonizer": {
                "name": "can",
                "version": __version__,
                "engine": engine.get("engine"),
                "engine_version": engine.get("engine_version"),
            },
        }
        drafts[lineage].write(orjson.dumps(told) + b"\n")
        _publish(drafts, rejects if not total.rejected else None)
    return total


def _input(
    path: str, pool: Pool, written: _Written, aside: _Written, total: Tally, policy: Policy, transform: dict[str, Any]
) -> dict[str, Any]:
    name, digest, runs = Path(path).name, Digest(), Runs(total.records_out + 1)
    with _opened(path) as descriptor:
        chunks = cut(descriptor, name, digest.update)
        tally = canonize(pool, chunks, name, written.write, aside.write, runs, policy, total.rejected)
    total.add(tally)
    counts = {key: value for key, value in tally.report().items() if key in _COUNTS}
    return {"name": name, **digest.describe(), **counts, "transform": transform, "lines": runs.runs}


_COUNTS = ("records_in", "records_out", "rejected", "dropped")


class _Written:
    """A file and the digest of what went into it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = Digest()

    def write(self, part: bytes) -> None:
        self._file.write(part)
        self.digest.update(part)


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[BinaryIO]:
    temporary = private.temporary_name(path)
    failure: Failure | None = None
    try:
        private.make_directory(path.parent)
        temporary.unlink(missing_ok=True)
        with private.create(temporary) as file:
            yield file
    except OSError as error:
        failure = from_os_error(error, path)
    finally:
        temporary.unlink(missing_ok=True)
    if failure:
        raise failure


def _publish(drafts: dict[Path, BinaryIO], empty: Path | None) -> None:
    for file in drafts.values():
        file.flush()
        os.fsync(file.fileno())
    for path in drafts:
        if path == empty:
            path.unlink(missing_ok=True)
        else:
            os.replace(private.temporary_name(path), path)
    for directory in {path.parent for path in drafts}:
        private.sync_directory(directory)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    failure: Failure | None = None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        failure = from_os_error(error, path)
    if failure:
        raise failure
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _check(job: Any) -> None:
    def text(value: Any) -> bool:
        return isinstance(value, str) and bool(value)

    sound = (
        isinstance(job, dict)
        and job.get("op") == "canonize"
        and all(text(job.get(key)) for key in ("output", "rejects", "lineage"))
        and isinstance(job.get("inputs"), list)
        and all(isinstance(i, dict) and text(i.get("path")) and text(i.get("meta")) for i in job["inputs"])
        and isinstance(job.get("skip_invalid", True), bool)
        and isinstance(job.get("require_checksums", True), bool)
        and (job.get("max_rejects") is None or isinstance(job["max_rejects"], int))
        and (job.get("schemas") is None or text(job["schemas"]))
        and isinstance(job.get("recipe", {}), dict)
    )
    if not sound:
        raise Failure(Code.USAGE, "a line is not a job")
