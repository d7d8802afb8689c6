"""The tasks, and what doit is told about them. dodo.py hands these to doit, and so does `lorchestra run`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from lorchestra import phi
from lorchestra.base.errors import Code
from lorchestra.history import runs
from lorchestra.history.log import Log
from lorchestra.planning import noop, preflight, trusted_files
from lorchestra.planning.cleaning import Cleaner
from lorchestra.planning.config import STAGES
from lorchestra.planning.snapshot import VALUES, Snapshot
from lorchestra.records import lineage, targets
from lorchestra.scheduler import actions, uptodate
from lorchestra.scheduler.reporter import Reporter
from lorchestra.stages.canonize import Canonizer
from lorchestra.stages.extract import extraction as extract_stage
from lorchestra.stages.index import projector
from lorchestra.storage.private import Lock

Task = dict[str, Any]


class Pipeline:
    """One pipeline.yaml as tasks. The four public generators are doit's task creators; doit calls each once."""

    def __init__(self, snapshot: Snapshot, *, held: Lock | None = None, verbose: bool = False) -> None:
        """`held` is the lock, where the caller has already taken it."""
        self.config, self.snapshot = snapshot.config, snapshot
        self.run = preflight.new_run(self.config)
        self.log = Log(self.config.log_directory, self.run.run_id, self.config.log_level)
        self.reporter = Reporter(self.run, self.log, self._remembered, self._finish, verbose=verbose)
        self._before: str | None = None
        self._targets = 0
        self._held = held

    @classmethod
    def load(cls, path: str | Path) -> Pipeline:
        """The pipeline of a configuration file. Raises Failure, ConfigFailure."""
        return cls(preflight.snapshot(Path(path)))

    @cached_property
    def doit_config(self) -> dict[str, Any]:
        """DOIT_CONFIG: doit's defaults. What the command line says goes before them."""
        return {
            "default_tasks": ["phi", *STAGES],
            "dep_file": self.snapshot.store.name,
            "backend": "lorchestra",
            "check_file_uptodate": uptodate.Receipts,
            "reporter": self.reporter,
            "continue": not self.config.fail_fast,
            "num_process": self.config.jobs if self.config.jobs > 1 else 0,
            "verbosity": 0,
        }

    def phi(self) -> Task:
        """refuse to run on directories that others could reach"""
        return {
            "actions": [(actions.check_phi, [self.config.phi_directories])],
            "uptodate": [uptodate.Always("checked in every run", self.reporter.tell)],
        }

    def extract(self) -> Iterator[Task]:
        """ask each source for its new records"""
        how = actions.Extraction(
            self.config.extract.output_dir,
            self.config.work_directory,
            self.config.extract.retry,
            f"{self.run.began.astimezone():%Y%m%d}",
            self.config.log_directory,
            self.config.log_level,
            self.run.run_id,
        )
        for source in extract_stage.every(self.config.extract.sources):
            yield {
                "name": source.name,
                "doc": f"from a source of the type {source.type}",
                "actions": [(actions.extract, [source, how])],
                "uptodate": [uptodate.Always("a source is asked in every run", self.reporter.tell)],
            }

    def canonize(self) -> Iterator[Task]:
        """bring raw records into their canonical form"""
        canonize = self.config.canonize
        how = Canonizer(canonize.command, self.config.work_directory, canonize.retry, canonize.timeout_seconds)
        self._look()
        registry = {name: [str(file) for file in made.files] for name, made in self.snapshot.transforms.items()}
        for target in self.snapshot.plan.targets:
            job = self.snapshot.job(target)
            files = [entry["path"] for entry in job["inputs"]]
            used = {file for i in target.inputs for file in registry[i.transform]}
            yield {
                "name": target.name,
                "doc": f"from {len(files)} raw file{'' if len(files) == 1 else 's'}",
                "actions": [(actions.canonize, [job, how])],
                "file_dep": [*files, *sorted(used)],
                "targets": [job["output"]],
                "uptodate": [uptodate.Fresh(self.snapshot, target, self.reporter.tell)],
                "clean": [(self.cleaner, [target.name])],
            }

    def index(self) -> Iterator[Task]:
        """bring the store up to date with the canonical files"""
        how = projector(self.config)
        for type_ in self.snapshot.index_reasons():
            yield {
                "name": type_,
                "doc": f"the canonical files {type_}-*.jsonl into the store",
                "actions": [(actions.index, [type_, how])],
                "uptodate": [uptodate.Held(self.snapshot, type_, self.reporter.tell)],
            }

    @cached_property
    def cleaner(self) -> Cleaner:
        """What `doit clean` calls for each canonical file: asks once, then removes."""
        return Cleaner(self.config)

    def lock(self) -> None:
        """Make sure that nobody else reads or runs: see `preflight.lock`."""
        if self._held is None:
            trusted_files.require_installation(self.config)
            self._held = preflight.lock(self.snapshot)

    def _look(self) -> None:
        """Take the snapshot that the run works from, and see that nobody else can read the files in it."""
        if "extract" in self.run.stages:
            self.snapshot = Snapshot(self.config, self.snapshot.store)
            phi.refuse(preflight.examine_content(self.snapshot))
        self._before = (
            self.snapshot.inputs_digest
        )  # before the registry is read: what is edited after that is found next time
        self.run.unmatched, self.run.unnamed = len(self.snapshot.plan.unmatched), self.snapshot.plan.unnamed
        self._targets = len(self.snapshot.plan.targets)
        for name in self.snapshot.plan.unmatched:
            self.log.event("raw_file_unmatched", "canonize", "WARNING", file=name)

    def _remembered(self, task: str) -> Mapping[str, Any]:
        values: dict[str, Any] = self.snapshot.store.get(task, VALUES) or {}
        stage, _, name = task.partition(":")
        if stage == "canonize" and "records_out" not in values:
            receipt = lineage.read(self.snapshot.canonical_files.lineage.path / targets.lineage_name(name))
            return {"records_out": receipt["output"].get("records", 0)} if receipt else {}
        return values

    def _finish(self) -> None:
        """Record the run, and what would make the next one a no-op."""
        self._check_extraction()
        runs.write(self.config.log_directory, self.run)
        if self._before:
            after = Snapshot(self.config, self.snapshot.store, self.snapshot.canonical_files.raw)
            noop.note(after, self.run, self._before, self._targets)
        self.snapshot.store.dump()

    def _check_extraction(self) -> None:
        stage, limits = self.run.stages.get("extract"), self.config.extract
        if stage and (len(stage.output_files) < limits.require_files or stage.records < limits.min_records):
            self.reporter.fail_stage(
                "extract",
                Code.TOO_FEW_FILES,
                f"{len(stage.output_files)} files with {stage.records} records, of at least {limits.require_files} "
                f"with {limits.min_records}",
            )
