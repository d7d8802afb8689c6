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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lorchestra.base.errors import Code, Failure
from lorchestra.process import programs, runner
from lorchestra.records import jsonl, lineage
from lorchestra.records.lineage import Digest
from lorchestra.storage import private
from lorchestra.storage.listing import identity


def is_filter(command: Sequence[str]) -> bool:
    """Whether a command is a template for a filter."""
    return any("{meta}" in word for word in command)


def canonize(
    job: Mapping[str, Any], command: Sequence[str], work_directory: Path, timeout_seconds: float | None
) -> dict[str, int]:
    """Do a job of `can serve` with a filter; return its counts. Raises Failure; nothing has changed then."""
    parts = work_directory / "filter" / f"{job['id']}.{os.getpid()}"
    shutil.rmtree(parts, ignore_errors=True)
    private.make_directory(parts)
    try:
        inputs = [_filtered(job, at, command, parts, timeout_seconds) for at in range(len(job["inputs"]))]
        _refuse_too_many(job, sum(entry["rejected"] for entry in inputs))
        return _publish(job, command, parts, inputs)
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _filtered(
    job: Mapping[str, Any], at: int, command: Sequence[str], parts: Path, timeout_seconds: float | None
) -> dict[str, Any]:
    """Run the filter on one input; return the input's entry for the lineage."""
    source = job["inputs"][at]
    path = Path(source["path"])
    words = {"{meta}": source["meta"], "{schemas}": job["schemas"], "{rejects}": str(parts / f"{at}.rejects")}
    before, digest = identity(path.stat()), _digest(path)
    finished = runner.run(
        [str(programs.find(command[0])), *(_filled(word, words) for word in command[1:])],
        cwd=parts,
        env=runner.environment(),
        log=parts / f"{at}.log",
        stdin=path,
        stdout=parts / f"{at}.out",
        timeout_seconds=timeout_seconds,
    )
    code = runner.code(finished)
    if code is not None:
        raise Failure(code, f"{path.name}: the canonizer ended with status {finished.status}")
    if identity(path.stat()) != before:
        raise Failure(Code.INPUT_CHANGED, f"{path.name} changed while it was read")
    counts = {"records_in": jsonl.count(str(path)), "records_out": _checked(parts / f"{at}.out", path.name)}
    rejected = jsonl.count(str(parts / f"{at}.rejects")) if (parts / f"{at}.rejects").is_file() else 0
    counts |= {
        "rejected": rejected,
        "dropped": max(0, counts["records_in"] - counts["records_out"] - rejected),
    }
    return lineage.input_entry(path.name, digest, counts, {"id": source["transform"]}, [])


def _publish(
    job: Mapping[str, Any], command: Sequence[str], parts: Path, inputs: list[dict[str, Any]]
) -> dict[str, int]:
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


def _checked(part: Path, name: str) -> int:
    """How many records a filter gave for an input. Raises Failure where a line is not one."""
    count = 0
    with part.open("rb") as file:
        for number, line in jsonl.read(file):
            count += 1
            if not _is_object(line):
                raise Failure(
                    Code.COMPONENT_FAILED, f"{name}: line {number} of the canonizer's answer is no JSON object"
                )
    return count


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _refuse_too_many(job: Mapping[str, Any], rejected: int) -> None:
    allowed = 0 if not job["skip_invalid"] else job["max_rejects"]
    if allowed is not None and rejected > allowed:
        raise Failure(Code.TOO_MANY_REJECTS, f"{rejected} records rejected, {allowed} allowed")


def _filled(word: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        word = word.replace(name, value)
    return word


def _digest(path: Path) -> Digest:
    digest = Digest()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest
