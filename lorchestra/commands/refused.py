"""`lorchestra refused`: the files that extraction could not publish, until the user decides about them.

Re-submitting moves a file back to staging: the next extraction of its source publishes it, for example after a stream
was declared in pipeline.yaml. Discarding removes it.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import NamedTuple

from lorchestra.base.commandline import confirm
from lorchestra.base.errors import Code, Failure
from lorchestra.base.wording import counted
from lorchestra.planning import preflight
from lorchestra.planning.config import Config
from lorchestra.records import jsonl
from lorchestra.storage import private


class Refused(NamedTuple):
    """A refused file, with its number of lines."""

    source: str
    path: Path
    lines: int


def find(path: Path, source: str | None = None) -> list[Refused]:
    """The refused files of a source, or of all sources. `path` is the configuration file. Raises Failure."""
    return _find(preflight.snapshot(path).config, source)


def submit(path: Path, source: str | None = None) -> list[Refused]:
    """Move refused files back to staging; return them. Raises Failure(BUSY) while a run is in progress."""
    snapshot = preflight.snapshot(path)
    lock = preflight.lock(snapshot, "lorchestra refused --submit")
    try:
        found = _find(snapshot.config, source)
        for refused in found:
            attempt = snapshot.config.work_directory / "staging" / refused.source / f"{time.time_ns():020d}"
            private.make_directory(attempt)
            refused.path.rename(attempt / refused.path.name)
        return found
    finally:
        private.unlock(lock)


def discard(path: Path, source: str | None = None, *, yes: bool = False) -> list[Refused]:
    """Remove refused files after confirmation; return those that were removed. Raises Failure(BUSY | USAGE)."""
    snapshot = preflight.snapshot(path)
    lock = preflight.lock(snapshot, "lorchestra refused --discard")
    try:
        found = _find(snapshot.config, source)
        question = f"Discard {counted(len(found), 'refused file')}? Their records may exist nowhere else."
        if not found or not confirm(question, yes=yes):
            return []
        for refused in found:
            shutil.rmtree(refused.path) if refused.path.is_dir() else refused.path.unlink()
        return found
    finally:
        private.unlock(lock)


def _find(config: Config, source: str | None) -> list[Refused]:
    from lorchestra.stages.extract.staging import refused_files

    root = config.work_directory / "refused"
    sources = sorted(entry.name for entry in root.iterdir()) if root.is_dir() else []
    if source is not None and source not in sources:
        if source not in (entry.name for entry in config.extract.sources):
            raise Failure(Code.USAGE, f"there is no source {source}")
        return []
    chosen = sources if source is None else [source]
    return [Refused(name, file, _lines(file)) for name in chosen for file in refused_files(root / name)]


def _lines(file: Path) -> int:
    """The lines of a refused file; 0 if it is none, or compressed and damaged."""
    try:
        return jsonl.count(str(file)) if file.is_file() else 0
    except Failure:
        return 0
