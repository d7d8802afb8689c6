"""Where Meltano keeps what it remembers.

What it would keep in the project's `.meltano` (bookmarks, the texts of failures, credentials on their way to a plugin)
lies among the PHI instead, in a directory of the source's own; of the project's only the installed plugins are used. A
database that lies there already is copied once, so that no bookmark is lost.
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
from lorchestra.storage import private

_NAME = "meltano"
_SAFE = "bookmarks.db"
_RUNNING = "running"
_LAST_STATE = "select max(coalesce(ended_at, last_heartbeat_at, started_at)) from runs where payload_flags <> 0"
"""A run has a flag where its payload holds a bookmark; the column for it in table `state` stays empty."""


def prepare(own: Path, repo: Path) -> Path:
    """The source's own stand-in for the project's `.meltano`; with one each, sources never race in migrations.

    Programs do not sync what they write. When the machine went down in the middle of a run, the records of that run may
    be gone though the bookmark stands behind them: then the bookmarks of the last `commit` count.
    """
    system, projects = own / _NAME, repo / ".meltano"
    private.make_directory(system)
    for plugins in (entry for entry in projects.glob("*") if entry.is_dir() and entry.name not in ("run", "logs")):
        _link(system / plugins.name, plugins)
    remove_credentials(system)  # a killed run's
    database, safe, boot = system / "meltano.db", own / _SAFE, _boot()
    if (own / _RUNNING).exists() and (own / _RUNNING).read_bytes() != boot:
        for file in system.glob("meltano.db*"):
            file.unlink()
    private.write(own / _RUNNING, boot)
    for source in (safe, projects / "meltano.db"):
        if not database.exists() and source.is_file():
            _copy_database(source, database)
    return system


def commit(own: Path) -> None:
    """The records that the bookmarks stand behind are safe, so the bookmarks count from now on."""
    if (own / _NAME / "meltano.db").exists():
        _copy_database(own / _NAME / "meltano.db", own / _SAFE)
    (own / _RUNNING).unlink()


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
    """When the source's bookmark last moved, None where it has none yet or it cannot be told."""
    state = source.settings.get("state")
    if state:
        moved = [file.stat().st_mtime for file in Path(state).glob(f"*:{source.name}-to-*/state.json")]
        return datetime.fromtimestamp(max(moved), UTC) if moved else None
    try:
        with contextlib.closing(_read_only(own / _NAME / "meltano.db")) as database:
            (text,) = database.execute(_LAST_STATE).fetchone()
    except sqlite3.Error:
        return None
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


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
            Code.CONFIG, f"{old}: cannot be read as Meltano's database", advice="Mend it or move it away."
        )
    finally:
        temporary.unlink(missing_ok=True)
    if failure:
        raise failure


def _boot() -> bytes:
    """A text that is another one after the machine went down; empty where the system does not tell."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_bytes() if boot.exists() else b""


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
