"""A canonizer that is a filter: it reads raw JSON Lines on stdin and writes canonical JSON Lines on stdout.

pipeline.yaml names it with a command that contains `{meta}`; `{schemas}` and `{rejects}` are replaced too. It runs once
for each raw file. This module does the rest of a job of `can serve`: it checks that each output line is a JSON object,
joins the parts, and renames the three files into place, lineage last. The lineage's `lines` are empty, because nothing
is known about which line came from which.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lorchestra.base.errors import Code, Failure, Outcome
from lorchestra.executors.executor import Job, JobResult
from lorchestra.history.log import Progress
from lorchestra.process import programs, runner
from lorchestra.records import compressed, jsonl, lineage
from lorchestra.records.lineage import Digest
from lorchestra.records.reject_limit import exceeds
from lorchestra.storage import private
from lorchestra.storage.listing import identity


def is_filter(command: Sequence[str]) -> bool:
    """Whether a command is a template for a filter."""
    return any("{meta}" in word for word in command)


class FilterExecutor:
    """Runs at most `size` jobs at once, each by one run of the filter per input. See `Executor`."""

    def __init__(
        self, command: Sequence[str], work_directory: Path, size: int, timeout_seconds: float | None = None
    ) -> None:
        """`command` contains `{meta}`."""
        self._command = command
        self._work_directory = work_directory
        self._timeout_seconds = timeout_seconds
        self._slots = threading.Semaphore(size)

    def run(self, job: Job, progress: Progress | None = None) -> JobResult:
        """Run a job."""
        with self._slots:
            try:
                return JobResult(counts=_run(job, self._command, self._work_directory, self._timeout_seconds))
            except (Failure, OSError) as error:
                return JobResult(Outcome.of(error))

    def close(self, *, abort: bool = False) -> None:
        """Nothing is kept between jobs; `process.runner` ends the running filters."""


def _run(job: Job, command: Sequence[str], work_directory: Path, timeout_seconds: float | None) -> dict[str, int]:
    """Run a job; return its counts. Raises Failure; nothing has changed then."""
    parts = work_directory / "filter" / f"{job['id']}.{os.getpid()}"
    shutil.rmtree(parts, ignore_errors=True)
    private.make_directory(parts)
    private.make_directory(work_directory / "logs")
    log = work_directory / "logs" / f"canonize-{job['id']}.log"
    try:
        inputs = [_filter_input(job, at, command, parts, log, timeout_seconds) for at in range(len(job["inputs"]))]
        _check_rejects(job, *(sum(entry[name] for entry in inputs) for name in ("rejected", "records_in")))
        return _publish(job, command, parts, inputs)
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _filter_input(
    job: Job, at: int, command: Sequence[str], parts: Path, log: Path, timeout_seconds: float | None
) -> dict[str, Any]:
    """Run the filter on one input; return the input's entry for the lineage."""
    source = job["inputs"][at]
    path = Path(source["path"])
    words = {"{meta}": source["meta"], "{schemas}": job["schemas"], "{rejects}": str(parts / f"{at}.rejects")}
    before, digest = identity(path.stat()), _digest(path)
    plain = _plain(path, parts / f"{at}.in")
    finished = runner.run(
        [str(programs.find(command[0])), *(_replace(word, words) for word in command[1:])],
        cwd=parts,
        env=runner.environment(),
        log=log,
        stdin=plain,
        stdout=parts / f"{at}.out",
        timeout_seconds=timeout_seconds,
    )
    code = runner.code(finished)
    if code is not None:
        raise Failure(code, f"{path.name}: the filter ended with status {finished.status}; see {log} (private)")
    if identity(path.stat()) != before:
        raise Failure(Code.INPUT_CHANGED, f"{path.name} changed while it was read")
    counts = {"records_in": jsonl.count(str(plain)), "records_out": _count_records(parts / f"{at}.out", path.name)}
    rejected = jsonl.count(str(parts / f"{at}.rejects")) if (parts / f"{at}.rejects").is_file() else 0
    counts |= {
        "rejected": rejected,
        "dropped": max(0, counts["records_in"] - counts["records_out"] - rejected),
    }
    return lineage.input_entry(path.name, digest, counts, {"id": source["transform"]}, [])


def _plain(path: Path, copy: Path) -> Path:
    """The input as a filter reads it: a decompressed copy if it is compressed. Raises Failure(NOT_JSONL)."""
    if not compressed.is_compressed(path.name):
        return path
    with compressed.reader(path.open("rb"), path.name) as content, private.create(copy) as file:
        shutil.copyfileobj(content, file)
    return copy


def _publish(job: Job, command: Sequence[str], parts: Path, inputs: list[dict[str, Any]]) -> dict[str, int]:
    output, rejects, lineage_file = (Path(job[key]) for key in ("output", "rejects", "lineage"))
    counts = {name: sum(entry[name] for entry in inputs) for name in lineage.COUNTS}
    rejects_entry = None
    if counts["rejected"]:
        digest = _join(rejects, parts, len(inputs), "rejects")
        rejects_entry = lineage.output_entry(os.path.relpath(rejects, output.parent), digest, counts["rejected"])
    else:
        rejects.unlink(missing_ok=True)
    digest = _join(output, parts, len(inputs), "out")
    document = lineage.document(
        output=lineage.output_entry(output.name, digest, counts["records_out"]),
        rejects=rejects_entry,
        inputs=inputs,
        settings={key: job[key] for key in ("skip_invalid", "require_checksums")},
        recipe=job["recipe"],
        canonizer={"name": Path(command[0]).name},
    )
    private.write(lineage_file, json.dumps(document).encode("ascii") + b"\n")
    return counts


def _join(target: Path, parts: Path, count: int, suffix: str) -> Digest:
    """Write the parts one after the other."""
    digest = Digest()
    with private.replacing(target) as file:
        for at in range(count):
            for line in _lines(parts / f"{at}.{suffix}"):
                digest.update(line)
                file.write(line)
    return digest


def _lines(part: Path) -> Iterator[bytes]:
    if part.is_file():
        with part.open("rb") as file:
            yield from (line + b"\n" for _, line in jsonl.read(file))


def _count_records(part: Path, name: str) -> int:
    """How many records a filter wrote for an input. Raises Failure if a line is not a JSON object."""
    count = 0
    with part.open("rb") as file:
        for number, line in jsonl.read(file):
            count += 1
            if not _is_object(line):
                raise Failure(
                    Code.COMPONENT_FAILED, f"{name}: line {number} of the filter's output is not a JSON object"
                )
    return count


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _check_rejects(job: Job, rejected: int, records_in: int) -> None:
    allowed = job["max_rejects"] if job["skip_invalid"] else 0
    if exceeds(allowed, rejected, records_in):
        what = f"{rejected:,} of {records_in:,} records were rejected; max_rejects is {allowed}"
        raise Failure(Code.TOO_MANY_REJECTS, what)


def _replace(word: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        word = word.replace(name, value)
    return word


def _digest(path: Path) -> Digest:
    digest = Digest()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest
