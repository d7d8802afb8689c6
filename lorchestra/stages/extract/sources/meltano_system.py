"""Where Meltano keeps its state.

What it would keep in the project's `.meltano` (bookmarks, error messages, credentials for plugins) is kept in the PHI
directory instead, in a private directory for each source; only the installed plugins of the project are used. An
existing database of the project is copied once, so that no bookmark is lost.

    {work}/sources/{source}/meltano    a link to {work}/meltano/{random name}, which Meltano uses
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lorchestra.base.errors import Code, Failure
from lorchestra.planning.config import Source
from lorchestra.platform.processes import boot_id
from lorchestra.storage import private

_NAME = "meltano"
_SAFE = "bookmarks.db"
_SAFE_STATE = "bookmarks.state"
_RUNNING = "running"
_LAST_STATE = "select max(coalesce(ended_at, last_heartbeat_at, started_at)) from runs where payload_flags <> 0"
"""A run has a flag where its payload holds a bookmark; the column for it in table `state` stays empty."""


class Bookmarks:
    """The bookmarks of one source. They advance only with records that were published."""

    def __init__(self, own: Path, repo: Path, state: Path | None, extractor: str) -> None:
        """`own`: the source's private directory. `state`: the directory of a file:// state backend, if one is set."""
        self._own, self._repo, self._state, self._extractor = own, repo, state, extractor

    def prepare(self) -> Path:
        """The source's own replacement for the project's `.meltano`; sources never race in migrations.

        Programs do not sync what they write. If the machine went down in the middle of a run, the records of that run
        may be lost although its bookmark is saved: then the bookmarks of the last `commit` count.
        """
        system, projects = _neutral(self._own / _NAME), self._repo / ".meltano"
        for plugins in (entry for entry in projects.glob("*") if entry.is_dir() and entry.name not in ("run", "logs")):
            _link(system / plugins.name, plugins)
        remove_credentials(system)  # a killed run's
        boot = boot_id()
        if (self._own / _RUNNING).exists() and (self._own / _RUNNING).read_bytes() != boot:
            self.roll_back()
        private.write(self._own / _RUNNING, boot)
        if not (self._own / _SAFE_STATE).exists():
            self._save_state()
        database = system / "meltano.db"
        for source in (self._own / _SAFE, projects / "meltano.db"):
            if not database.exists() and source.is_file():
                _copy_database(source, database)
        return system

    def commit(self) -> None:
        """Every record before the bookmarks is published, so the bookmarks count from now on."""
        if (self._own / _NAME / "meltano.db").exists():
            _copy_database(self._own / _NAME / "meltano.db", self._own / _SAFE)
        self._save_state()
        (self._own / _RUNNING).unlink(missing_ok=True)

    def roll_back(self) -> None:
        """Return to the bookmarks of the last `commit`: records before the current ones are missing."""
        for file in (self._own / _NAME).glob("meltano.db*"):
            file.unlink()
        if self._state and (self._own / _SAFE_STATE).is_dir():
            for moved in self._states(self._state):
                shutil.rmtree(moved)
            for saved in (self._own / _SAFE_STATE).iterdir():
                shutil.copytree(saved, self._state / saved.name)

    def _save_state(self) -> None:
        if not self._state:
            return
        shutil.rmtree(self._own / _SAFE_STATE, ignore_errors=True)
        private.make_directory(self._own / _SAFE_STATE)
        for current in self._states(self._state):
            shutil.copytree(current, self._own / _SAFE_STATE / current.name)

    def _states(self, directory: Path) -> list[Path]:
        return [path for path in directory.glob(f"*{self._extractor}-to-*") if path.is_dir()]


def remove_credentials(system: Path) -> None:
    """Meltano hands credentials to plugins in files, which it leaves behind when it is killed."""
    for file in system.glob("run/*/*.config.json"):
        file.unlink(missing_ok=True)


@contextlib.contextmanager
def turn(directory: Path, repo: Path, parallel: int) -> Iterator[None]:
    """Wait until fewer than `parallel` extractors of the project are at work."""
    project = hashlib.sha256(bytes(repo)).hexdigest()[:12]
    locks = [directory / f".{project}.{number}.lock" for number in range(parallel)]
    while (held := _first_free(locks)) is None:
        time.sleep(0.2)
    try:
        yield
    finally:
        private.unlock(held)


def bookmark(source: Source, own: Path) -> datetime | None:
    """When the source's bookmark last moved; None if it has none yet or its time is unknown."""
    state = source.settings.get("state")
    if state:
        extractor = source.settings.get("extractor", source.name)
        moved = [file.stat().st_mtime for file in Path(state).glob(f"*:{extractor}-to-*/state.json")]
        return datetime.fromtimestamp(max(moved), UTC) if moved else None
    try:
        with contextlib.closing(_read_only(own / _NAME / "meltano.db")) as database:
            (text,) = database.execute(_LAST_STATE).fetchone()
    except sqlite3.Error:
        return None
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _neutral(link: Path) -> Path:
    """The directory that a link leads to, both created if missing. Its path does not name the source.

    Meltano passes paths below it to plugins as arguments, which every user can read. If a kill leaves a directory
    without its link, the bookmarks of the last `commit` count.
    """
    if not link.is_symlink():
        directory = link.parents[2] / _NAME / os.urandom(8).hex()
        private.make_directory(directory.parent)
        private.make_directory(link.parent)
        if link.is_dir():
            link.rename(directory)  # as earlier versions kept it
        link.symlink_to(os.path.relpath(directory, link.parent))
    directory = link.resolve()
    private.make_directory(directory)
    return directory


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    if link.is_dir() and not link.is_symlink():
        shutil.rmtree(link)  # Meltano makes an empty one where nothing is installed yet
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _first_free(locks: list[Path]) -> private.Lock | None:
    for path in locks:
        try:
            return private.lock(path)
        except Failure as failure:
            if failure.code is not Code.BUSY:
                raise
    return None


def _copy_database(old: Path, new: Path) -> None:
    temporary = private.temporary_name(new)
    temporary.unlink(missing_ok=True)
    private.create(temporary).close()  # private before SQLite writes into it
    failure: Failure | None = None
    try:
        with contextlib.closing(_read_only(old)) as source, contextlib.closing(sqlite3.connect(temporary)) as target:
            source.backup(target)
        os.replace(temporary, new)
        private.sync_directory(new.parent)
    except sqlite3.Error:
        failure = Failure(
            Code.CONFIG, f"{old}: cannot be read as Meltano's database", advice="Repair it or move it away."
        )
    finally:
        temporary.unlink(missing_ok=True)
    if failure:
        raise failure


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
