"""`type: files`: files that somebody puts into an inbox.

A file is copied, published, and only then removed from the inbox (`mode: move`), and only if nobody changed it since.
A file that may still be written is left for the next run.
"""

from __future__ import annotations

import errno
import fcntl
import filecmp
import fnmatch
import os
import shlex
import shutil
import signal
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from lorchestra.base.errors import Code, Failure
from lorchestra.base.wording import listed
from lorchestra.stages.extract.sources.attempt import Attempt, AttemptResult
from lorchestra.stages.extract.sources.source_type import SourceType
from lorchestra.stages.extract.staging import Published
from lorchestra.storage import listing, private
from lorchestra.storage.listing import Identity

_PATTERNS = ("*.jsonl", "*.jsonl.gz")


class Files(SourceType):
    """Takes files from an inbox."""

    own_name_only = False
    originals_stay = True

    def attempt(self, task: Attempt) -> AttemptResult:
        """Copy what is at rest in the inbox. Raises Failure(MISSING | INSECURE | PERMISSION | NO_SPACE).

        Each file is judged by itself: a misnamed one is reported and stays in the inbox; the others are not affected.
        """
        inbox, moved = Path(task.settings["inbox"]), task.settings.get("mode", "move") == "move"
        _check(inbox)
        found, others, directories = _entries(inbox, task.settings.get("pattern"))
        if not all(map(listing.rests, found.values())):  # a user may have just copied them
            time.sleep(listing.REST_SECONDS)
            found, others, directories = _entries(inbox, task.settings.get("pattern"))
        fit = {name: identity for name, identity in found.items() if task.streams.accepts(name)}
        resting = {name: identity for name, identity in fit.items() if listing.rests(identity)}
        known = () if moved else tuple(task.raw / name for name in resting if _same(inbox / name, task.raw / name))
        copied = {
            name: identity
            for name, identity in resting.items()
            if task.raw / name not in known and _copy(inbox / name, identity, task.output / name)
        }

        def published(published: Published) -> None:
            if moved:
                _remove(inbox, {name: identity for name, identity in copied.items() if name in published.merged})

        misnamed = sorted(found.keys() - fit.keys())
        return AttemptResult(
            Code.CONFIG if misnamed else None,
            f"misnamed files in the inbox: {listed(misnamed)}" if misnamed else "",
            "Name them {source}-{date}.jsonl, or declare them under `streams`." if misnamed else "",
            warning=_warning(others, directories),
            complete=True,  # a complete file has no unfinished line: if it seems to, it is damaged
            confirmed=known,
            waiting=len(fit) - len(copied) - len(known),
            published=published,
        )


def _entries(inbox: Path, pattern: str | None) -> tuple[dict[str, Identity], list[str], int]:
    """The regular files that match the pattern, the names of the others, and the number of directories.

    Hidden entries are unfinished copies.
    """
    found: dict[str, Identity] = {}
    others: list[str] = []
    directories = 0
    patterns = _PATTERNS if pattern is None else (pattern,)
    with os.scandir(inbox) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_file(follow_symlinks=False) and any(fnmatch.fnmatchcase(entry.name, one) for one in patterns):
                found[entry.name] = listing.identity(entry.stat(follow_symlinks=False))
            elif entry.is_dir(follow_symlinks=False):
                directories += 1
            else:
                others.append(entry.name)
    return found, sorted(others), directories


def _warning(others: list[str], directories: int) -> str:
    """What stays in the inbox in every run. A directory may be somebody's archive, so it is only counted."""
    count = "1 directory" if directories == 1 else f"{directories:,} directories"
    parts = [f"no plain files that match `pattern`: {listed(others)}" if others else "", count if directories else ""]
    return f"left in the inbox, {' and '.join(filter(None, parts))}" if any(parts) else ""


def _check(inbox: Path) -> None:
    """An inbox holds PHI: it must exist, belong to us, and be closed to others."""
    if not inbox.is_dir():
        raise Failure(Code.MISSING, f"{inbox}: no such inbox directory")
    status = inbox.stat()
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise Failure(Code.INSECURE, f"{inbox}: others can read the inbox. Run: chmod 700 {shlex.quote(str(inbox))}")


def _same(path: Path, raw: Path) -> bool:
    return raw.is_file() and filecmp.cmp(path, raw, shallow=False)


def _copy(path: Path, identity: Identity, copy: Path) -> bool:
    """Copy one file completely; False, and no copy, if it changed meanwhile."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as source, private.create(copy) as target:
        shutil.copyfileobj(source, target, 1024 * 1024)
        whole = listing.identity(os.fstat(descriptor)) == identity and not _has_writer(descriptor)
    if not whole:
        copy.unlink()
    return whole


def _has_writer(descriptor: int) -> bool:
    """Whether a program, perhaps a stalled one, has the file open for writing: Linux then refuses a read lease."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # a broken lease must not end us
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False


def _remove(inbox: Path, adopted: Mapping[str, Identity]) -> None:
    for name, identity in adopted.items():
        if listing.identity((inbox / name).lstat()) == identity:
            (inbox / name).unlink()
