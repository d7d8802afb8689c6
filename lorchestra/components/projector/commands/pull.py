"""`vector-projector pull`: bring canonical files into the store."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from lorchestra.base import program
from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Exit, Failure, from_os_error
from lorchestra.components.projector import config
from lorchestra.components.projector.database import metadata_db, registry
from lorchestra.components.projector.ingest.pull import FileFailure, Pull
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.record import canonical
from lorchestra.components.projector.record.canonical import Source
from lorchestra.components.projector.record.validators import Validators
from lorchestra.components.projector.upkeep import connect
from lorchestra.records import iglu, names
from lorchestra.storage import private

_MOST_TOLD = 5
_PROGRESS_SECONDS = 1.0
_ALWAYS = ("files", "files_unchanged", "records_in", "inserted")
COUNTS = (
    "files", "files_unchanged", "files_missing", "files_pruned", "records_in", "inserted", "duplicates", "revised",
    "skipped_changes", "purged", "retired", "returned", "rejected",
)  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--input", type=local_path, required=True, metavar="DIR", help="directory of the canonical files"
    )
    parser.add_argument(
        "--schemas", type=local_path, metavar="DIR", help="directory of the schemas (an Iglu static registry)"
    )
    parser.add_argument("--type", action="append", default=[], metavar="TYPE", help="only this type; may be repeated")
    parser.add_argument("--report", type=local_path, metavar="FILE", help="write the report as JSON")
    parser.add_argument("--prune", action="store_true", help="retire records whose files no longer exist")
    parser.add_argument("--wait", action="store_true", help="wait until the store is free")
    parser.add_argument(
        "--progress-fd", type=int, metavar="FD", help="write the number of records to this descriptor every second"
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="only these files of the directory")


def run(options: argparse.Namespace) -> int:
    """Pull, report, and end with the status of the first failure. A failure that is about no file is reported too."""
    try:
        return _pull(options)
    except Failure as failure:
        if options.report and failure.code is not Code.USAGE and not options.report.exists():
            report = {**dict.fromkeys(COUNTS, 0), "rejected_by": {}, "failed": [_failed(FileFailure("", failure))]}
            private.write(options.report, orjson.dumps(report) + b"\n")
        raise


def _pull(options: argparse.Namespace) -> int:
    began = time.monotonic()
    settings = config.resolve(options)
    if not settings.schemas.is_dir():
        raise Failure(Code.MISSING, f"{settings.schemas}: contains no schemas", advice="Check --schemas.")
    if options.files and options.prune:
        raise Failure(Code.USAGE, "--prune applies to the whole directory and takes no FILE")
    sources, failures = _sources(options.input, options.files, options.type)
    present = {source.name for source in sources} | {failed.file for failed in failures}
    store = Store(settings.store)
    with connect.for_writing(store, create=True, wait=options.wait) as opened:
        validators = Validators(iglu.SchemaRegistry(settings.schemas))
        pull = Pull(store, opened.connection, validators, settings, _progress(options))
        stopped = _bring(pull, sources)
        failures += pull.failures
        if not (options.files or stopped):
            pull.mark_missing(present, options.type, prune=options.prune)
        metadata_db.remember(opened.connection, "input", str(options.input.absolute()))
        unfinished = {source.type for source in sources} if stopped else {failed.type for failed in failures}
        registry.write(store, opened.connection, unfinished)
        report = _report(pull, failures, registry.objects(opened.connection), time.monotonic() - began)
    if options.report:
        private.write(options.report, orjson.dumps(report) + b"\n")
    _tell(report)
    if stopped:
        raise stopped
    for failed in failures[:_MOST_TOLD]:
        program.tell("vector-projector", failed.failure.message, failed.failure.advice)
    if len(failures) > _MOST_TOLD:
        program.tell(
            "vector-projector", f"{len(failures) - _MOST_TOLD} more files failed", "See them with --report FILE."
        )
    return failures[0].failure.exit if failures else Exit.OK


def _progress(options: argparse.Namespace) -> Callable[[int, int], None] | None:
    """Writes `{"records_in": 7000, "rejected": 2}` to the descriptor of --progress-fd, at most once a second."""
    if options.progress_fd is None:
        return None
    last = time.monotonic()

    def progress(records: int, rejected: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _PROGRESS_SECONDS:
            last = time.monotonic()
            with contextlib.suppress(OSError):  # nobody listens any more
                os.write(options.progress_fd, orjson.dumps({"records_in": records, "rejected": rejected}) + b"\n")

    return progress


def _bring(pull: Pull, sources: Sequence[Source]) -> Failure | None:
    try:
        pull.run(sources)
    except Failure as failure:
        return failure
    return None


def _sources(directory: Path, files: Sequence[str], kinds: Sequence[str]) -> tuple[list[Source], list[FileFailure]]:
    """The requested canonical files."""
    for kind in kinds:
        if not names.is_type(kind):
            raise Failure(Code.USAGE, "--type: is not a valid type name")
    if files:
        return [canonical.source(_inside(directory, file)) for file in files], []
    failure: Failure | None = None
    try:
        found = sorted(os.listdir(directory))
    except OSError as error:
        failure = from_os_error(error, directory)
    if failure:
        raise failure
    return _stat(directory, [name for name in found if _is_asked(name, kinds)])


def _stat(directory: Path, found: Sequence[str]) -> tuple[list[Source], list[FileFailure]]:
    sources: list[Source] = []
    failures: list[FileFailure] = []
    for name in found:
        try:
            sources.append(canonical.source(directory / name))
        except Failure as failure:
            failures.append(FileFailure(name, failure))
    return sources, failures


def _is_asked(name: str, kinds: Sequence[str]) -> bool:
    parsed = names.parse_canonical(name)
    return parsed is not None and (not kinds or parsed.stem in kinds)


def _inside(directory: Path, file: str) -> Path:
    path = Path(file)
    if path.parent == Path():
        return directory / path
    if path.parent.absolute() != directory.absolute():
        raise Failure(
            Code.USAGE, "a FILE is outside the --input directory", advice="Name files of the input directory."
        )
    return path


def _report(pull: Pull, failures: Sequence[FileFailure], objects: int, seconds: float) -> dict[str, Any]:
    return {
        **{name: pull.counts[name] for name in COUNTS},
        "rejected_by": dict(sorted(pull.rejected_by.items())),
        "failed": [_failed(failed) for failed in failures],
        "objects": objects,
        "duration_seconds": round(seconds, 3),
    }


def _failed(failed: FileFailure) -> dict[str, str]:
    failure = failed.failure
    return {"file": failed.file, "code": failure.code, "what": failure.message, "advice": failure.advice}


def _tell(report: Mapping[str, Any]) -> None:
    said = [f"{report[name]} {name.replace('_', ' ')}" for name in COUNTS if report[name] or name in _ALWAYS]
    sys.stderr.write(f"vector-projector: {', '.join(said)}; {report['objects']} objects\n")
