"""The pipeline as doit tasks. dodo.py passes them to doit, and so does `lorchestra run`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from lorchestra import __version__, phi
from lorchestra.executors import factory as executor_factory
from lorchestra.executors.executor import Executor
from lorchestra.history import anomalies, running, runs
from lorchestra.history.log import Log
from lorchestra.history.stages import STAGES
from lorchestra.notification import delivery
from lorchestra.planning import noop, preflight, run_audit, trusted_files
from lorchestra.planning.cleaning import Cleaner
from lorchestra.planning.config import Source
from lorchestra.planning.plan import Target
from lorchestra.planning.snapshot import ALWAYS_EXTRACTED, VALUES, Snapshot
from lorchestra.process import runner
from lorchestra.records import targets
from lorchestra.scheduler import actions, conclusion, interrupts, plan_events, selection, standalone, uptodate
from lorchestra.scheduler.actions import Action
from lorchestra.scheduler.deliveries import Deliveries
from lorchestra.scheduler.pulse import Pulse
from lorchestra.scheduler.reporter import Reporter
from lorchestra.sinks import factory as sink_factory
from lorchestra.sinks.sink import Sink
from lorchestra.stages.canonize import canonize as canonize_stage
from lorchestra.stages.extract import extraction
from lorchestra.stages.index import index as index_stage
from lorchestra.storage.private import Lock

Task = dict[str, Any]
LATE = "_late_"
"""Before the name of a data stage: its second round, after a late source."""
ATTEMPTED = "_attempted"
DELIVERED = "_delivered"


class Pipeline:
    """One pipeline.yaml as tasks. The public generators are doit's task creators; doit calls each at most once."""

    loader_is_active: ClassVar[bool] = False
    """Whether our loader imports dodo.py. doit's own loader would skip every check."""

    def __init__(self, snapshot: Snapshot, *, held: Lock | None = None, verbose: bool = False) -> None:
        """`held` is the lock, if the caller has already taken it."""
        self.config, self.snapshot = snapshot.config, snapshot
        self.run = preflight.new_run(self.config)
        self.log = Log(self.config.log_directory, self.run.run_id, self.config.log_level)
        self.reporter = Reporter(self, self.run, self.log, verbose=verbose)
        self._deliveries = Deliveries()
        self._pulse = Pulse(self.log, lambda: self.reporter.running)
        self._jobs = self.config.jobs
        self._inputs_digest: str | None = None
        self._target_count = 0
        self._held = held
        self._selected: Sequence[str] = ()
        self._has_begun = False

    @classmethod
    def load(cls, path: str | Path) -> Pipeline:
        """The pipeline of a configuration file, for dodo.py. Raises Failure, ConfigFailure, InvalidDodoFile."""
        if not cls.loader_is_active:
            standalone.run_again()
        return cls(preflight.snapshot(Path(path)))

    @cached_property
    def doit_config(self) -> dict[str, Any]:
        """DOIT_CONFIG: doit's defaults, which its command line overrides."""
        return {
            "default_tasks": ["phi", *STAGES],
            "dep_file": self.snapshot.store.name,
            "backend": "lorchestra",
            "check_file_uptodate": uptodate.LineageChecker,
            "reporter": self.reporter,
            "continue": not self.config.fail_fast,
            "num_process": self.config.jobs,
            "par_type": "thread",
            "verbosity": 0,
        }

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The sources that the entries of pipeline.yaml stand for."""
        return extraction.every(self.config.extract.sources)

    def select(self, words: Sequence[str]) -> list[str]:
        """The tasks that a command line names. Raises InvalidCommand."""
        names = [source.name for source in self.sources]
        self._selected = selection.resolve(self.snapshot, names, words)
        return list(self._selected)

    def threads(self, jobs: int) -> int:
        """How many threads doit needs so that `jobs` jobs can run at once.

        A source, and a task that waits for the sources, only occupies a thread. One job more than can run is prepared,
        so that no program waits for the scheduler.
        """
        self._jobs = jobs
        if self.config.fail_fast:  # a task that was prepared could not be held back any more
            return (len(self.sources) if self._extracting else 0) + jobs
        return len(self.config.extract.sources) + (len(self.sources) if self._extracting else 0) + jobs + 2

    @property
    def _extracting(self) -> bool:
        return bool(selection.of_stage("extract", self._selected))

    def phi(self) -> Task:
        """refuse to run on directories that others can read"""
        return {
            "actions": [Action(actions.check_phi, self.config)],
            "uptodate": [uptodate.Always("checked in every run", self.reporter.set_reason)],
        }

    def extract(self) -> Iterator[Task]:
        """request new records from each source"""
        date = f"{self.run.began.astimezone():%Y%m%d}"
        for source in self.sources:
            if self._is_ignored(f"extract:{source.name}"):
                yield _ignored(source.name)
                continue
            progress = self._pulse.progress(f"extract:{source.name}")
            arguments = (source, self.config, self.log, date, self._deliveries.sleep, progress)
            yield {
                "name": source.name,
                "doc": f"from a source of type {source.type}",
                "actions": [Action(actions.extract, *arguments)],
                "uptodate": [uptodate.Always(ALWAYS_EXTRACTED, self.reporter.set_reason)],
            }

    def canonize(self) -> Iterator[Task]:
        """convert raw records to their canonical form"""
        self._take_snapshot()
        planned = self.snapshot.plan.targets
        selection.check_targets(self._selected, (f"canonize:{target.name}" for target in planned))
        if self._has_begun:
            every = {"canonize", "index"} & {word if word == "canonize" else word[:5] for word in self._selected}
            wanted = [target for target in planned if every or f"canonize:{target.name}" in self._selected]
            plan_events.canonize(
                self.log, self.snapshot, [t for t in wanted if not self._is_ignored(f"canonize:{t.name}")]
            )
        transform_files = {name: [str(file) for file in made.files] for name, made in self.snapshot.transforms.items()}
        for target in planned:
            if self._is_ignored(f"canonize:{target.name}"):
                yield _ignored(target.name)
                continue
            task = self._canonize_task(target)
            used = {file for entry in target.inputs for file in transform_files[entry.transform]}
            yield task | {
                "doc": f"from {len(target.inputs)} raw file{'' if len(target.inputs) == 1 else 's'}",
                "file_dep": [*(entry["path"] for entry in self.snapshot.job(target)["inputs"]), *sorted(used)],
                "targets": task["meta"]["files"],  # the second round has none: doit refuses two tasks for one target
                "clean": [(self.cleaner, [target.name])],
            }

    def index(self) -> Iterator[Task]:
        """load the canonical files into the store"""
        reasons = self.snapshot.index_reasons()
        if self._has_begun:
            plan_events.index(self.log, self.snapshot, reasons)
        for type_ in reasons:
            yield _ignored(type_) if self._is_ignored(f"index:{type_}") else self._index_task(type_)

    def wait_for_first_attempts(self) -> Task:
        """let the data stages begin"""
        return {"actions": [Action(_wait, self._deliveries.wait_for_first_attempts)]}

    def wait_for_all_sources(self) -> Iterator[Task]:
        """let the second round begin"""
        # A group, as the stages are: doit creates the tasks of a group also if something that it waits for has failed.
        yield {"name": "all", "actions": [Action(_wait, self._deliveries.wait_for_all)]}

    def canonize_late(self) -> Iterator[Task]:
        """canonize what late sources delivered"""
        if self._deliveries.late:
            self._take_snapshot()
            for target in self.snapshot.plan.targets:
                if self.snapshot.verdict(target).reasons and not self._is_ignored(f"canonize:{target.name}"):
                    yield self._canonize_task(target)

    def index_late(self) -> Iterator[Task]:
        """index what late sources delivered"""
        if self._deliveries.late:
            for type_, reason in self.snapshot.index_reasons().items():
                if reason and not self._is_ignored(f"index:{type_}"):
                    yield self._index_task(type_)

    def _is_ignored(self, task: str) -> bool:
        """Whether a run leaves a task out because of `doit ignore`."""
        return self._has_begun and self.snapshot.store.ignored(task)

    def _canonize_task(self, target: Target) -> Task:
        return {
            "name": target.name,
            "actions": [Action(self._canonize, target)],
            "meta": {"files": [targets.files(self.config.canonize.output_dir, target.name).output]},
            "uptodate": [uptodate.Canonical(self.snapshot, target, self.reporter.set_reason)],
        }

    def _index_task(self, type_: str) -> Task:
        return {
            "name": type_,
            "doc": f"the canonical files {type_}-*.jsonl into the store",
            "actions": [Action(self._index, type_)],
            "meta": {"files": []},
            "uptodate": [uptodate.Indexed(self.snapshot, type_, self.reporter.set_reason)],
        }

    def _canonize(self, target: Target) -> dict[str, int]:
        progress = self._pulse.progress(f"canonize:{target.name}")
        return canonize_stage(self.snapshot.job(target), self._executor, self.config.canonize.retry, progress=progress)

    def _index(self, type_: str) -> dict[str, int]:
        return index_stage(type_, self._sink, self.config.index.retry, progress=self._pulse.progress(f"index:{type_}"))

    @cached_property
    def _executor(self) -> Executor:
        return executor_factory.create(self.config, self._jobs)

    @cached_property
    def _sink(self) -> Sink:
        return sink_factory.create(self.config)

    @cached_property
    def cleaner(self) -> Cleaner:
        """What `doit clean` calls for each canonical file."""
        return Cleaner(self.config)

    def lock(self, command: str) -> None:
        """Check what runs and decides, and the directories; take the pipeline's lock: see `preflight.lock`."""
        if self._held is None:
            trusted_files.require_installation(self.config)
            self._held = preflight.lock(self.snapshot, command)

    def begin(self, selected: Sequence[str]) -> None:
        """Note that the run begins, so that a killed run can be distinguished from a finished one."""
        running.begin(self.config.work_directory, self.config.log_directory, self.run)
        self._has_begun = True
        self.log.event("run_started", tasks=list(selected), pid=os.getpid(), version=__version__)
        self._pulse.start()
        self.reporter.show_progress()

    def expect_sources(self, selected: Sequence[str]) -> None:
        """Note which sources this run extracts."""
        sources = selection.sources_of(selected, (source.name for source in self.sources))
        self._deliveries.expect(sources)
        plan_events.extract(self.log, self.snapshot, sources)

    def source_ended(self, source: str) -> None:
        """Note that a source has delivered or failed."""
        self._deliveries.ended(source)

    def remembered(self, task: str) -> Mapping[str, Any]:
        """The values of a task when it last ran."""
        stage, _, name = task.partition(":")
        if stage == "canonize":
            return self.snapshot.counts(name)
        values: dict[str, Any] = self.snapshot.store.get(task, VALUES) or {}
        return values

    def stop(self) -> None:
        """End everything that the run has started: it was interrupted, or cannot go on."""
        interrupts.begin_end()
        runner.stop_all()
        if "_executor" in self.__dict__:
            self._executor.close(abort=True)

    def finish(self) -> None:
        """Record the run, and what lets the next one find that nothing changed. Then notify the user."""
        self._pulse.stop()
        conclusion.judge(self.snapshot, self.run, self.reporter, self._selected)
        runs.write(self.config.log_directory, self.run)
        run_audit.write(self.snapshot, self.run)
        running.end(self.config.work_directory)
        if self._inputs_digest:
            after = Snapshot(self.config, self.snapshot.store, self.snapshot.canonical_files.raw)
            noop.note(after, self.run, self._inputs_digest, self._target_count)
        self.snapshot.store.dump()
        if "_executor" in self.__dict__:
            self._executor.close()
        self._add_anomalies()
        if failed := delivery.after_run(self.config, self.run):
            self.run.warnings += failed
            self.log.event("notification_failed", level="WARNING", count=len(failed))

    def _add_anomalies(self) -> None:
        """Warn of what is unusual about the run, which was just recorded."""
        lines = list(runs.runs(self.config.log_directory, anomalies.COMPARED + 1))
        if not lines or lines[-1].get("run_id") != self.run.run_id or self.run.interrupted:
            return
        earlier = [line for line in lines[:-1] if line.get("status") == "SUCCESS"]
        for anomaly in anomalies.of_run(lines[-1], earlier):
            self.run.warnings.append(anomaly.text)
            self.log.event("anomaly_found", level="WARNING", kind=anomaly.kind, source=anomaly.source)

    def _take_snapshot(self) -> None:
        """Take the snapshot that the data stages work from, and check that nobody else can read its files."""
        if self._extracting:
            self.snapshot = Snapshot(self.config, self.snapshot.store)
            phi.refuse(preflight.examine_content(self.snapshot))
        # Taken before the registry is read: a file that is edited after that is found by the next run.
        self._inputs_digest = self.snapshot.inputs_digest
        self.run.unmatched, self.run.unnamed = len(self.snapshot.plan.unmatched), self.snapshot.plan.unnamed
        self._target_count = len(self.snapshot.plan.targets)
        for name in self.snapshot.plan.unmatched:
            self.log.event("raw_file_unmatched", "canonize", "WARNING", file=name)


def _ignored(name: str) -> Task:
    """A task that does nothing. doit would skip an ignored task with all that waits for it: also the second round."""
    return {"name": name, "actions": None, "uptodate": [True], "meta": {"ignored": True}}


def _wait(wait: Any) -> dict[str, Any]:
    wait()
    return {}
