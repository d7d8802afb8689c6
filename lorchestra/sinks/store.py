"""The bundled store, loaded with `vector-projector pull`."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from lorchestra.base.errors import Code, Failure, Outcome
from lorchestra.history.log import Progress
from lorchestra.planning import store_contents
from lorchestra.planning.config import Config
from lorchestra.process import programs, runner
from lorchestra.sinks.sink import LoadResult
from lorchestra.storage import private

COUNTS = (
    "files", "files_unchanged", "records_in", "inserted", "duplicates", "revised",
    "skipped_changes", "retired", "rejected",
)  # fmt: skip
"""The counts that are taken from the program's report."""


class StoreSink:
    """See `Sink`. The store has one writer: the types take turns."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._writing = threading.Lock()

    def load(self, type_: str, *, prune: bool = False, progress: Progress | None = None) -> LoadResult:
        """Run `vector-projector pull` for one type."""
        logs = self._config.work_directory / "logs"
        private.make_directory(logs)
        report = logs / f"index-{type_}.{os.getpid()}.json"
        try:
            with self._writing:
                return self._pull(type_, report, logs / f"index-{type_}.log", prune, progress)
        except Failure as failure:
            return LoadResult(Outcome.of(failure))
        finally:
            report.unlink(missing_ok=True)

    def _pull(self, type_: str, report: Path, log: Path, prune: bool, progress: Progress | None) -> LoadResult:
        with _listening(progress) as descriptors:
            finished = runner.run(
                [*self._arguments(type_, report, prune), *(f"--progress-fd={number}" for number in descriptors)],
                cwd=self._config.work_directory,
                env=runner.environment(),
                log=log,
                timeout_seconds=self._config.index.timeout_seconds,
                inherit=descriptors,
            )
        code = runner.code(finished)
        if code is not None:
            ended = Failure(code, f"the projector ended with status {finished.status}; see {log} (private)")
            return LoadResult(_reported_failure(report) or Outcome.of(ended))
        try:
            document = json.loads(report.read_bytes())
            counts = {name: int(document.get(name, 0)) for name in COUNTS}
        except (OSError, ValueError, TypeError, AttributeError):
            return LoadResult(Outcome(Code.COMPONENT_FAILED, "the projector reported success but wrote no report"))
        objects = store_contents.summary(self._config.index.output_dir, type_).get("objects", 0)
        return LoadResult(counts=counts | {"objects": int(objects)})

    def _arguments(self, type_: str, report: Path, prune: bool) -> Iterable[str]:
        index, canonize = self._config.index, self._config.canonize
        yield str(programs.find(index.command[0]))
        yield from index.command[1:]
        yield from ("pull", "--input", str(canonize.output_dir), "--store", str(index.output_dir))
        # --wait: somebody may be working on the store from a terminal.
        yield from ("--schemas", str(canonize.schemas), "--type", type_, "--report", str(report), "--wait")
        if index.config:
            yield from ("--config", str(index.config))
        if prune:
            yield "--prune"


@contextlib.contextmanager
def _listening(progress: Progress | None) -> Iterator[list[int]]:
    """A descriptor for a program's progress, which a thread passes on; None if nobody asked for it."""
    if progress is None:
        yield []
        return
    reader, writer = os.pipe()
    thread = threading.Thread(target=_pass_on, args=(reader, progress), daemon=True, name="progress")
    thread.start()
    try:
        yield [writer]
    finally:
        os.close(writer)
        thread.join(1)  # what the program left running could still hold the descriptor


def _pass_on(reader: int, progress: Progress) -> None:
    with os.fdopen(reader, "rb") as lines:
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                counts = json.loads(line)
                progress(int(counts["records_in"]), int(counts["rejected"]))


def _reported_failure(report: Path) -> Outcome | None:
    """The first failure in the report of `vector-projector pull`; None if it reports none."""
    try:
        first = json.loads(report.read_bytes())["failed"][0]
        return Outcome(Code(first["code"]), str(first["what"]), str(first.get("advice", "")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
