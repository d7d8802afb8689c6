"""What doit's tasks do. They run in threads.

An action returns values, or `Failed`. No exception escapes: doit would print its traceback, and with it text that may
come from a record.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from doit.action import BaseAction
from doit.exceptions import TaskFailed

from lorchestra import phi
from lorchestra.base import program
from lorchestra.base.errors import Code, Failure, Outcome
from lorchestra.history.log import Log, Progress, timestamp
from lorchestra.planning.config import Config, Source
from lorchestra.stages.extract import extraction
from lorchestra.stages.extract.result import SourceResult


class Failed(TaskFailed):
    """An outcome in the form in which doit passes a failure on."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


class Action(BaseAction):
    """A function as a task's action.

    doit's own PythonAction replaces sys.stdout while the function runs, which cannot work in several threads.
    """

    def __init__(self, function: Callable[..., Mapping[str, Any]], *arguments: Any) -> None:
        self.task: Any = None
        self.out = self.err = self.result = None
        self.values: dict[str, Any] = {}
        self._function, self._arguments = function, arguments

    def execute(self, _out: object = None, _err: object = None) -> Failed | None:
        """Call the function; its result becomes the values of the task."""
        try:
            self.values = dict(self._function(*self._arguments))
        except (Failure, OSError) as error:
            return Failed(Outcome.of(error))
        except Exception as error:
            return Failed(Outcome.of(Failure(Code.UNEXPECTED, f"{type(error).__name__} at {program.place(error)}")))
        return None

    def __repr__(self) -> str:
        return self._function.__name__


def check_phi(config: Config) -> dict[str, Any]:
    """Show the permission check as a task. The loader has made it before any task began."""
    phi.require(config.phi_directories)
    return {"directories": len(config.phi_directories)}


def extract(
    source: Source, config: Config, log: Log, date: str, sleep: Callable[[str, float], None], progress: Progress
) -> dict[str, Any]:
    """Request a source's records. `date` is the run's, YYYYMMDD; `sleep` takes the source's name and seconds."""
    result = extraction.extract(
        source,
        raw_dir=config.extract.output_dir,
        work_dir=config.work_directory,
        retry=config.extract.retry,
        date=date,
        log=log,
        sleep=_Countdown(source.name, sleep),
        progress=lambda _source, records: progress(records, 0),
    )
    where = f"; see {result.child_log} (private)" if result.child_log else ""
    if result.status == "failed":
        raise Failure(result.code or Code.SOURCE_FAILED, f"{result.message}{where}", advice=result.advice or None)
    values = _counts(result) | {
        "files": [str(config.extract.output_dir / name) for name in result.files],
        "warning": result.warning,
        "last_success": timestamp(datetime.now(UTC)),
    }
    if result.code is not None:  # what the source delivered is published, and the run reports that it is not everything
        values |= {"code": str(result.code), "what": f"{result.message}{where}", "advice": result.advice}
    return values


def _counts(result: SourceResult) -> dict[str, Any]:
    names = ("records", "new_records", "attempts", "replaced", "discarded", "refused", "waiting")
    return {name: getattr(result, name) for name in names}


class _Countdown:
    """Sleeps until the next attempt and says so."""

    def __init__(self, source: str, sleep: Callable[[str, float], None]) -> None:
        self._source, self._sleep = source, sleep

    def __call__(self, seconds: float) -> None:
        _print(f"   {self._source}: next attempt in {seconds:.0f} s\n")
        self._sleep(self._source, seconds)


_terminal = threading.Lock()


def _print(text: str) -> None:
    """Write a line to the terminal, if there is one."""
    if os.isatty(2):
        with _terminal:
            os.write(2, text.encode("ascii", "replace"))
