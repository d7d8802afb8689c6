"""One run of one source: attempts, then the hand-over, under the source's lock."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lorchestra.base.errors import HANDLING, Code, Failure, from_os_error
from lorchestra.history.log import Log
from lorchestra.planning.config import Retry, Source
from lorchestra.process.retry import retry as retrying
from lorchestra.process.source_lock import SourceLock, hold_source
from lorchestra.records import names
from lorchestra.stages.extract.result import SourceResult, Status
from lorchestra.stages.extract.sources import command, files, meltano, sample
from lorchestra.stages.extract.sources.attempt import Attempt, Outcome
from lorchestra.stages.extract.staging import Published, Rules, Staging
from lorchestra.storage import private

_TYPES: Mapping[str, Callable[[Attempt], Outcome]] = {
    "sample": sample.attempt,
    "command": command.attempt,
    "files": files.attempt,
    "meltano": meltano.attempt,
}


@dataclass
class SourceRun:
    """One run of one source: the arguments of `extract`, and what its attempts came to."""

    source: Source
    raw_dir: Path
    work_dir: Path
    retry: Retry
    date: str
    log: Log
    sleep: Callable[[float], None]
    progress: Callable[[str, int], None] | None
    attempts: int = 0
    finished: set[Path] = field(default_factory=set)

    def result(self) -> SourceResult:
        """Run, and tell as data what came of it."""
        began = time.monotonic()
        outcome, published = Outcome(), Published()
        try:
            with hold_source(self.work_dir / "locks" / f"{self.source.name}.lock") as held:
                outcome, published = self._under(held)
        except (Failure, OSError) as error:
            outcome = _told(error)
        code = outcome.code or published.code
        return SourceResult(
            source=self.source.name,
            status=_status(code, published),
            files=tuple(published.files),
            records=published.records,
            new_records=published.new_records,
            attempts=self.attempts,
            duration_seconds=time.monotonic() - began,
            code=code,
            message=outcome.message or published.message,
            child_log=outcome.log,
        )

    def _under(self, held: SourceLock) -> tuple[Outcome, Published]:
        """Everything that needs the source's lock."""
        staging = Staging(self.work_dir, self.source.name)
        self._remove_logs()
        leftovers = len(staging.attempts())
        if leftovers:
            self.log.event("leftovers_found", "extract", source=self.source.name, attempts=leftovers)
        outcome = retrying(
            self.retry, lambda number: self._attempt(number, staging, held), sleep=self.sleep, on_wait=self._wait
        )
        rules = Rules(self._accepts, self.source.settings.get("key", ()), self.source.type == "files")
        published = staging.publish(self.raw_dir, rules, finished=self.finished)
        for file in outcome.confirmed:
            published.confirm(file)
        outcome.published(published.files, published.whole)
        self._tell_counts(outcome, published)
        return outcome, published

    def _attempt(self, number: int, staging: Staging, held: SourceLock) -> Outcome:
        self.attempts = number
        task = self._task(number, staging.fresh(), held)
        try:
            outcome = self._outcome(task, staging)
        finally:
            shutil.rmtree(task.scratch)
        if outcome.code is None:
            self.finished.add(task.output)
        else:
            self.log.event(
                "attempt_failed", "extract", "WARNING", source=self.source.name, attempt=number, code=str(outcome.code)
            )
        return outcome

    def _outcome(self, task: Attempt, staging: Staging) -> Outcome:
        """What an attempt came to; whatever was expected to go wrong is data."""
        try:
            outcome = _TYPES[self.source.type](task)
        except (Failure, OSError) as error:
            outcome = _told(error)
        if outcome.code and HANDLING[outcome.code].retry and not staging.has_space():
            return outcome._replace(code=Code.NO_SPACE, message="no space left to extract to")
        return outcome

    def _task(self, number: int, output: Path, held: SourceLock) -> Attempt:
        name, child_log = self.source.name, self._child_log(number)
        own = self.work_dir / "sources" / name
        scratch = own / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)  # a killed run's
        for directory in (scratch, child_log.parent):
            private.make_directory(directory)
        return Attempt(
            source=self.source,
            output=output,
            raw=self.raw_dir,
            private=own,
            scratch=scratch,
            date=self.date,
            log=child_log,
            lock=held,
            progress=lambda records: self.progress(name, records) if self.progress else None,
        )

    def _child_log(self, number: int) -> Path:
        return self.work_dir / "logs" / f"{self.source.name}.{number}.log"

    def _remove_logs(self) -> None:
        """The words of an earlier run's programs may be PHI, and would mislead."""
        number = 1
        while (child_log := self._child_log(number)).exists():
            child_log.unlink()
            number += 1

    def _accepts(self, name: names.DatedName) -> bool:
        """Programs that are told their source's name use it; an inbox and a Meltano target may hold several."""
        return self.source.type in ("files", "meltano") or name.stem == self.source.name

    def _wait(self, seconds: float, attempt: int) -> None:
        self.log.event("retry_waiting", "extract", source=self.source.name, seconds=seconds, attempt=attempt)

    def _tell_counts(self, outcome: Outcome, published: Published) -> None:
        """What was cut, replaced, refused or left lying is counted: silence would hide it."""
        counts = {
            "torn_lines_cut": published.torn,
            "records_superseded": published.superseded,
            "files_refused": published.refused,
            "files_waiting": outcome.waiting,
        }
        for event, count in counts.items():
            if count:
                self.log.event(event, "extract", "WARNING", source=self.source.name, count=count)


def _status(code: Code | None, published: Published) -> Status:
    if code is not None:
        return "partial" if published.files else "failed"
    return "ok" if published.files else "empty"


def _told(error: Failure | OSError) -> Outcome:
    """A failure as data, with its advice where that says more than the table's."""
    failure = from_os_error(error) if isinstance(error, OSError) else error
    advice = "" if failure.advice == HANDLING[failure.code].advice else f". {failure.advice}"
    return Outcome(failure.code, f"{failure.message}{advice}")
