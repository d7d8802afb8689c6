"""What doit's tasks do. Module-level functions with plain arguments: they travel to doit's worker processes.

An action returns counts, or `Failed`. Nothing escapes from one: doit would print the traceback, and with it what a
record held.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec

from doit.exceptions import TaskFailed

from lorchestra import phi
from lorchestra.base import program
from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.history.log import Log, timestamp
from lorchestra.planning.config import Retry, Source
from lorchestra.stages import canonize as canonize_stage
from lorchestra.stages import index as index_stage
from lorchestra.stages.extract import extraction as extract_stage

P = ParamSpec("P")
_TELL_EVERY = 5.0


class Failed(TaskFailed):
    """A failure as data, in the form that doit hands from process to process."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.message}\n  {failure.advice}")
        self.code = failure.code
        self.message = failure.message
        self.advice = failure.advice


class Extraction(NamedTuple):
    """Where the sources' files go, and how failed attempts are repeated."""

    raw_directory: Path
    work_directory: Path
    retry: Retry
    date: str
    log_directory: Path
    log_level: str
    run_id: str


def _guarded(action: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any] | Failed]:
    @functools.wraps(action)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any] | Failed:
        try:
            return action(*args, **kwargs)
        except Failure as failure:
            return Failed(failure)
        except OSError as error:
            return Failed(from_os_error(error))
        except Exception as error:
            return Failed(Failure(Code.UNEXPECTED, f"{type(error).__name__} at {program.place(error)}"))

    return guarded


@_guarded
def check_phi(directories: tuple[Path, ...]) -> dict[str, Any]:
    """The permission check as a task that can be seen. The loader has made it before any task began."""
    phi.require(directories)
    return {"directories": len(directories)}


@_guarded
def extract(source: Source, how: Extraction) -> dict[str, Any]:
    """Ask a source for its records."""
    log = Log(how.log_directory, how.run_id, how.log_level)
    result = extract_stage.extract(
        source,
        raw_dir=how.raw_directory,
        work_dir=how.work_directory,
        retry=how.retry,
        date=how.date,
        log=log,
        sleep=_Countdown(source.name),
        progress=_Progress(),
    )
    where = f"; see {result.child_log} (private)" if result.child_log else ""
    if result.status == "failed":
        raise Failure(result.code or Code.SOURCE_FAILED, f"{result.message}{where}", advice=result.advice or None)
    values: dict[str, Any] = {
        "files": [str(how.raw_directory / name) for name in result.files],
        "records": result.records,
        "new_records": result.new_records,
        "attempts": result.attempts,
        "replaced": result.replaced,
        "discarded": result.discarded,
        "refused": result.refused,
        "warning": result.warning,
        "last_success": timestamp(datetime.now(UTC)),
    }
    if result.code is not None:  # partial: what it gave is published, and the run must say that it was not all
        values |= {"code": str(result.code), "what": f"{result.message}{where}", "advice": result.advice}
    return values


@_guarded
def canonize(job: dict[str, Any], how: canonize_stage.Canonizer) -> dict[str, Any]:
    """Make one canonical file."""
    return dict(canonize_stage.canonize(job, how))


@_guarded
def index(type_: str, how: index_stage.Projector) -> dict[str, Any]:
    """Bring the store up to date with one type."""
    return dict(index_stage.index(type_, how))


class _Progress:
    """A line now and then on the terminal while a source delivers."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, source: str, records: int) -> None:
        if time.monotonic() - self._told >= _TELL_EVERY:
            self._told = time.monotonic()
            _tell(f"   {source}: {records} records so far\n")


class _Countdown:
    """Sleeps, and says on a terminal how long it still takes."""

    def __init__(self, source: str) -> None:
        self._source = source

    def __call__(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            _tell(f"   {self._source}: next attempt in {left:.0f} s \r")
            time.sleep(min(1.0, left))


def _tell(text: str) -> None:
    # doit replaces sys.stderr while an action runs, so the descriptor is written to.
    if os.isatty(2):
        os.write(2, text.encode("ascii", "replace"))
        sys.stderr.flush()
