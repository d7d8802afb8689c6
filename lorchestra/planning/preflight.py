"""What precedes every run, whoever starts it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from lorchestra import phi
from lorchestra.history.runs import RunRecord
from lorchestra.planning import config as configuration
from lorchestra.planning.config import Config
from lorchestra.planning.snapshot import Snapshot
from lorchestra.planning.task_store import FILE, TaskStore
from lorchestra.records import targets
from lorchestra.storage import private
from lorchestra.storage.private import Lock

_JUDGED = "judged"


def snapshot(path: Path) -> Snapshot:
    """The configuration and the task store, ready to be looked at. Raises Failure; changes nothing.

    A configuration that a run found good is not judged again while it stays the same.
    """
    store: TaskStore | None = None

    def judged(config: Config) -> bool:
        nonlocal store
        store = TaskStore(str(config.log_directory / FILE))
        return bool(store.note(_JUDGED) == config.sha256)

    config = configuration.load(path, judged=judged)
    phi.trust(path)
    return Snapshot(config, store or TaskStore(str(config.log_directory / FILE)))


def found_good(snapshot: Snapshot) -> None:
    """Note that the configuration need not be judged again while it stays the same."""
    snapshot.store.write_note(_JUDGED, snapshot.config.sha256)


def lock(snapshot: Snapshot) -> Lock:
    """Check the directories and the files in them, take the pipeline's lock, remove what killed writers left.

    Raises Failure(INSECURE | PERMISSION | BUSY); nothing has been touched then. The lock is held until the process
    ends.
    """
    config = snapshot.config
    phi.require(config.phi_directories)
    private.make_directory(config.log_directory)
    held = private.lock(config.work_directory / "lock")
    for directory in (*targets.directories(config.canonize.output_dir), config.log_directory):
        if directory.is_dir():
            private.sweep(directory)
    phi.require((), snapshot.canonical_files)
    return held


def new_run(config: Config) -> RunRecord:
    """The record of a run that begins now."""
    began = datetime.now(UTC)
    return RunRecord(f"{began:%Y%m%dT%H%M%S}-{os.getpid()}", began, config.index.output_dir)
