"""One run of one source: attempts, then publishing, under the source's lock."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lorchestra.base.errors import HANDLING, Code, Failure, Outcome, visible
from lorchestra.base.wording import counted
from lorchestra.history.log import Log
from lorchestra.planning.config import Retry, Source
from lorchestra.process.retry import retry as retrying
from lorchestra.process.source_lock import SourceLock, hold_source
from lorchestra.stages.extract import loader_report, regularity
from lorchestra.stages.extract.result import SourceResult, Status
from lorchestra.stages.extract.sources import source_type
from lorchestra.stages.extract.sources.attempt import Attempt, AttemptResult
from lorchestra.stages.extract.sources.source_type import SourceType
from lorchestra.stages.extract.staging import Published, Rules, Staging
from lorchestra.stages.extract.streams import Streams
from lorchestra.storage import private


@dataclass
class SourceRun:
    """One run of one source: the arguments of `extract`, and what its attempts produced."""

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

    @cached_property
    def _type(self) -> SourceType:
        return source_type.find(self.source.type)

    def result(self) -> SourceResult:
        """Run, and return the result as data."""
        began = time.monotonic()
        result, published, refused = AttemptResult(), Published(), 0
        try:
            with hold_source(self.work_dir / "locks" / f"{self.source.name}.lock") as held:
                result, published, refused = self._under(held)
        except (Failure, OSError) as error:
            result = _failed(error)
        problems = _problems(result, published, refused)
        code = next((problem.code for problem in problems), None)
        status = _status(code, published)
        messages = [problem.message for problem in problems]
        if status == "failed":  # a failure crosses to the scheduler without its warning
            messages.append(result.warning)
        return SourceResult(
            source=self.source.name,
            status=status,
            files=tuple(published.files),
            records=published.records,
            new_records=published.new_records,
            attempts=self.attempts,
            duration_seconds=time.monotonic() - began,
            code=code,
            message="; ".join(filter(None, messages)),
            advice="\n".join(dict.fromkeys(problem.advice for problem in problems if problem.advice)),
            child_log=result.log,
            warning="; ".join(filter(None, [result.warning, self._silence(status)])),
            replaced=published.replaced,
            discarded=published.discarded,
            refused=refused,
            waiting=result.waiting,
        )

    def _silence(self, status: Status) -> str:
        """A warning if a source that usually delivers delivered nothing. Failures are reported anyway."""
        if status in ("failed", "partial") or self.source.window:
            return ""
        path = self.work_dir / "sources" / self.source.name / "deliveries"
        return regularity.note(path, delivered=status == "ok")

    def _under(self, held: SourceLock) -> tuple[AttemptResult, Published, int]:
        """Everything that needs the source's lock: the attempts, publishing, and the number of refused files."""
        staging = Staging(self.work_dir, self.source.name)
        self._remove_logs()
        leftovers = len(staging.attempts())
        if leftovers:
            self.log.event("leftovers_found", "extract", source=self.source.name, attempts=leftovers)
        result = retrying(
            self.retry, lambda number: self._attempt(number, staging, held), sleep=self.sleep, on_wait=self._wait
        )
        streams = self._streams(named_only=self._type.own_name_only and not staging.has_report)
        rules = Rules(streams, self.source.settings.get("key", self._type.key), self._type.originals_stay)
        published = staging.publish(self.raw_dir, rules, finished=self.finished)
        for file in result.confirmed:
            published.confirm(file)
        result.published(published)
        self._log_counts(result, published)
        return result, published, len(staging.refused())

    def _streams(self, *, named_only: bool) -> Streams:
        return Streams(self.source.name, self.date, self.source.settings.get("streams"), named_only)

    def _attempt(self, number: int, staging: Staging, held: SourceLock) -> AttemptResult:
        self.attempts = number
        task = self._task(number, staging.fresh(), held)
        try:
            result = self._result(task, staging)
        finally:
            shutil.rmtree(task.scratch)
        result = self._note_streams(task.output, result)
        if result.mixed:
            staging.refuse(task.output)
        if result.code is None or result.complete:
            self.finished.add(task.output)
        if result.code is not None:
            self.log.event(
                "attempt_failed", "extract", "WARNING", source=self.source.name, attempt=number, code=str(result.code)
            )
        return result

    def _note_streams(self, output: Path, result: AttemptResult) -> AttemptResult:
        """Log what a loader reported about each stream, and warn of records that do not match their schema."""
        warnings = [result.warning]
        for stream, report in loader_report.read(output).items():
            counts = {name: getattr(report, name) for name in ("records", "discarded", "violations", "unchecked")}
            self.log.event("stream_loaded", "extract", source=self.source.name, stream=stream, **counts)
            if report.violations:
                records = counted(report.violations, "record")
                warnings.append(f"{records} of stream {visible(stream)} kept, but not as its schema says")
        return result._replace(warning="; ".join(filter(None, warnings)))

    def _result(self, task: Attempt, staging: Staging) -> AttemptResult:
        """How an attempt ended; expected failures are data."""
        try:
            result = self._type.attempt(task)
        except (Failure, OSError) as error:
            result = _failed(error)
        if result.code and HANDLING[result.code].retry and not staging.has_space():
            return result._replace(code=Code.NO_SPACE, message="no space left to extract to")
        return result

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
            streams=self._streams(named_only=self._type.own_name_only),
        )

    def _child_log(self, number: int) -> Path:
        return self.work_dir / "logs" / f"{self.source.name}.{number}.log"

    def _remove_logs(self) -> None:
        """Logs of an earlier run may contain PHI and would mislead."""
        number = 1
        while (child_log := self._child_log(number)).exists():
            child_log.unlink()
            number += 1

    def _wait(self, seconds: float, attempt: int) -> None:
        self.log.event("retry_waiting", "extract", source=self.source.name, seconds=seconds, attempt=attempt)

    def _log_counts(self, result: AttemptResult, published: Published) -> None:
        """What was cut, replaced, discarded, refused or left behind is counted: silence would hide it."""
        counts = {
            "torn_lines_cut": published.torn,
            "records_replaced": published.replaced,
            "records_discarded": published.discarded,
            "files_refused": len(published.refused),
            "files_waiting": result.waiting,
        }
        for event, count in counts.items():
            if count:
                # rule: event-name - one of the keys above
                self.log.event(event, "extract", "WARNING", source=self.source.name, count=count)


def _status(code: Code | None, published: Published) -> Status:
    if code is not None:
        return "partial" if published.files else "failed"
    return "ok" if published.files else "empty"


def _failed(error: Failure | OSError) -> AttemptResult:
    """A failure as data, with its advice if it says more than the table's."""
    code, message, advice = Outcome.of(error)
    return AttemptResult(code, message, "" if code is None or advice == HANDLING[code].advice else advice)


def _problems(result: AttemptResult, published: Published, refused: int) -> list[Outcome]:
    """Everything that keeps a source from being "ok", most important first."""
    problems = [Outcome(result.code, result.message, result.advice)] if result.code else []
    problems += published.problems
    if refused and not published.refused:
        files = "1 refused file waits" if refused == 1 else f"{refused} refused files wait"
        problems.append(Outcome(Code.CONFIG, f"{files} for a decision", "List them with `lorchestra refused`."))
    return problems
