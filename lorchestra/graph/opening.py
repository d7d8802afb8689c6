"""What precedes every run, whoever starts it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from lorchestra import config as configuration
from lorchestra import phi
from lorchestra.base import private
from lorchestra.base.private import Lock
from lorchestra.config import Config
from lorchestra.graph.store import FILE, TaskStore
from lorchestra.graph.survey import Survey
from lorchestra.ledger.history import RunRecord

_JUDGED = "judged"


def survey(path: Path) -> Survey:
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
    return Survey(config, store or TaskStore(str(config.log_directory / FILE)))


def found_good(survey: Survey) -> None:
    """Note that the configuration need not be judged again while it stays the same."""
    survey.store.write_note(_JUDGED, survey.config.sha256)


def lock(survey: Survey) -> Lock:
    """Check the directories and the files in them, take the pipeline's lock, remove what killed writers left.

    Raises Failure(INSECURE | PERMISSION | BUSY); nothing has been touched then. The lock is held until the process
    ends.
    """
    config = survey.config
    phi.require(config.phi_directories)
    private.make_directory(config.log_directory)
    held = private.lock(config.work_directory / "lock")
    canonical = config.canonize.output_dir
    for directory in (canonical, canonical / "rejects", canonical / "lineage", config.log_directory):
        if directory.is_dir():
            private.sweep(directory)
    phi.require((), survey.shelf)
    return held


def new_run(config: Config) -> RunRecord:
    """The record of a run that begins now."""
    began = datetime.now(UTC)
    return RunRecord(f"{began:%Y%m%dT%H%M%S}-{os.getpid()}", began, config.index.output_dir)
