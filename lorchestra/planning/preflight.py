"""The checks before every run, and the lock that excludes other runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lorchestra import phi
from lorchestra.history.runs import RunRecord
from lorchestra.planning import config as configuration
from lorchestra.planning import trusted_files
from lorchestra.planning.config import Config
from lorchestra.planning.snapshot import Snapshot
from lorchestra.planning.task_store import FILE, TaskStore
from lorchestra.records import targets
from lorchestra.storage import audit, private
from lorchestra.storage.private import Lock
from lorchestra.storage.trust import Exposure

_SWEPT = ("staging", "logs", "audit")
"""The directories in .work where a killed program can leave temporary files; those of sources sweep their own."""


def snapshot(path: Path) -> Snapshot:
    """Read pipeline.yaml and the task store after checking that nobody else can change what runs or decides.

    Changes nothing. Raises Failure(INSECURE), ConfigFailure.
    """
    config = configuration.load(path)
    trusted_files.require(config)
    return Snapshot(config, task_store(config))


def task_store(config: Config) -> TaskStore:
    """The task store. It decides what is skipped, so it is kept in the private directory and ignored if that is not."""
    exposed = any(phi.examine((config.phi_directory, config.work_directory)))
    return TaskStore(str(config.work_directory / FILE), trusted=not exposed)


def examine(snapshot: Snapshot) -> Iterator[Exposure]:
    """Every exposure of the PHI directories and of everything in them."""
    yield from phi.examine(snapshot.config.phi_directories)
    yield from examine_content(snapshot)


def examine_content(snapshot: Snapshot) -> Iterator[Exposure]:
    """The exposures of the files and directories inside the raw, canonical, store and work directories."""
    config = snapshot.config
    known = {listed.path: listed for listed in snapshot.canonical_files}
    stages = (config.extract.output_dir, config.canonize.output_dir, config.index.output_dir)
    for root in (*stages, config.work_directory):
        yield from phi.examine_content(root, known)


def lock(snapshot: Snapshot, command: str = "") -> Lock:
    """Check the PHI directories and their content, take the pipeline's lock, remove what killed writers left.

    Nothing is created or written before all checks have passed. The lock is held until the process ends. `command` is
    what the audit log says about it; it is not recorded if empty.
    Raises Failure(INSECURE | PERMISSION | BUSY).
    """
    config = snapshot.config
    phi.refuse(phi.examine(config.phi_directories))
    file = config.work_directory / "lock"
    held = _lock_existing(file)
    try:
        phi.refuse(examine_content(snapshot))
        phi.create(config.phi_directories)
        private.make_directory(config.log_directory)
        if held is None:
            held = private.lock(file)
            snapshot.forget_files()  # they were listed without the lock
        private.announce(held)
    except BaseException:
        if held is not None:
            private.unlock(held)
        raise
    work, canonical = config.work_directory, targets.directories(config.canonize.output_dir)
    for directory in (*canonical, config.log_directory, work, *(work / name for name in _SWEPT)):
        if directory.is_dir():
            private.sweep(directory)
    if command:
        audit.append(audit.create(work, config.log_directory), command)
    return held


def _lock_existing(file: Path) -> Lock | None:
    try:
        return private.lock(file, create=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def new_run(config: Config) -> RunRecord:
    """The record of a run that begins now."""
    began = datetime.now(UTC)
    return RunRecord(f"{began:%Y%m%dT%H%M%S}-{os.getpid()}", began, config.index.output_dir)
