"""Stage 3: canonical files into the store, all or nothing per file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base.errors import Code, Failure, Outcome
from lorchestra.planning import store_contents
from lorchestra.planning.config import Config, Retry
from lorchestra.process import programs, runner
from lorchestra.process.retry import retry
from lorchestra.storage import private

COUNTS = (
    "files", "files_unchanged", "records_in", "inserted", "duplicates", "revised",
    "skipped_changes", "retired", "rejected",
)  # fmt: skip


class Projector(NamedTuple):
    """How the stage's program is started. Picklable: it travels to doit's worker processes."""

    command: tuple[str, ...]
    canonical: Path
    store: Path
    schemas: Path
    config: Path | None
    work_directory: Path
    retry: Retry
    timeout_seconds: float | None


def projector(config: Config) -> Projector:
    """How a configuration wants the projector to be started."""
    return Projector(
        config.index.command,
        config.canonize.output_dir,
        config.index.output_dir,
        config.canonize.schemas,
        config.index.config,
        config.work_directory,
        config.index.retry,
        config.index.timeout_seconds,
    )


class Attempt(NamedTuple):
    """How an attempt ended: the projector's report, and the outcome."""

    report: Mapping[str, Any] = {}
    outcome: Outcome = Outcome()

    @property
    def code(self) -> Code | None:
        """None for a success."""
        return self.outcome.code


def index(
    type_: str, how: Projector, *, prune: bool = False, sleep: Callable[[float], None] = time.sleep
) -> dict[str, int]:
    """Bring the store up to date with the canonical files of one type; return the projector's counts, and `objects`.

    `prune` also retires the records of files that are gone. Raises Failure.
    """
    private.make_directory(how.work_directory / "logs")
    attempt = retry(how.retry, lambda _number: _attempt_pull(type_, how, prune), sleep=sleep)
    attempt.outcome.check()
    counts = {name: int(attempt.report.get(name, 0)) for name in COUNTS}
    return counts | {"objects": int(store_contents.summary(how.store, type_).get("objects", 0))}


def _attempt_pull(type_: str, how: Projector, prune: bool) -> Attempt:
    logs = how.work_directory / "logs"
    report = logs / f"index-{type_}.{os.getpid()}.json"
    try:
        finished = runner.run(
            list(_arguments(type_, how, report, prune)),
            cwd=how.work_directory,
            env=runner.environment(),
            log=logs / f"index-{type_}.log",
            timeout_seconds=how.timeout_seconds,
        )
        code = runner.code(finished)
        if code is not None:
            return Attempt(outcome=_reported(report) or _ended(finished, code))
        return Attempt(json.loads(report.read_bytes()))
    except Failure as failure:
        return Attempt(outcome=Outcome.of(failure))
    except (OSError, ValueError):
        return Attempt(outcome=Outcome(Code.COMPONENT_FAILED, "the projector reported success but wrote no report"))
    finally:
        report.unlink(missing_ok=True)


def _reported(report: Path) -> Outcome | None:
    """The first failure in the projector's report (docs/contracts.md); None if it reports none."""
    try:
        first = json.loads(report.read_bytes())["failed"][0]
        return Outcome(Code(first["code"]), str(first["what"]), str(first.get("advice", "")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _ended(finished: runner.Finished, code: Code) -> Outcome:
    return Outcome(code, f"the projector ended with status {finished.status}; see {finished.log} (private)")


def _arguments(type_: str, how: Projector, report: Path, prune: bool) -> Iterable[str]:
    yield str(programs.find(how.command[0]))
    yield from how.command[1:]
    yield from ("pull", "--input", str(how.canonical), "--store", str(how.store), "--schemas", str(how.schemas))
    # The types share one store: each waits for its turn.
    yield from ("--type", type_, "--report", str(report), "--wait")
    if how.config:
        yield from ("--config", str(how.config))
    if prune:
        yield "--prune"
