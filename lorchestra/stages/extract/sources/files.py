"""`type: files`: files that somebody puts into an inbox.

A file is copied, published, and only then removed from the inbox (`mode: move`), and only if nobody touched it since. A
file that may still be written is left for the next run.
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
from collections.abc import Collection, Mapping
from pathlib import Path

from lorchestra.base.errors import Code, Failure
from lorchestra.records import names
from lorchestra.stages.extract.sources.attempt import Attempt, Outcome
from lorchestra.storage import listing, private
from lorchestra.storage.listing import Identity

REST_SECONDS = 2.0
"""A file that changed less than this ago may still be written."""


def attempt(task: Attempt) -> Outcome:
    """Copy what is at rest in the inbox. Raises Failure(MISSING | INSECURE | PERMISSION | NO_SPACE)."""
    inbox, moved = Path(task.settings["inbox"]), task.settings.get("mode", "move") == "move"
    _check(inbox)
    pattern = task.settings.get("pattern", "*.jsonl")
    found = {n: listing.identity(s) for n, s in listing.read(inbox).files.items() if fnmatch.fnmatchcase(n, pattern)}
    fit = {name: identity for name, identity in found.items() if names.parse_raw(name)}
    resting = {name: identity for name, identity in fit.items() if _rests(identity)}
    known = () if moved else tuple(task.raw / name for name in resting if _same(inbox / name, task.raw / name))
    copied = {
        name: identity
        for name, identity in resting.items()
        if task.raw / name not in known and _copy(inbox / name, identity, task.output / name)
    }

    def published(safe: Collection[str], _whole: bool) -> None:
        if moved:
            _remove(inbox, {name: identity for name, identity in copied.items() if name in safe})

    misnamed = len(found) - len(fit)
    what = f"{misnamed} in the inbox with a name that is not {{source}}-{{date}}.jsonl" if misnamed else ""
    waiting = len(fit) - len(copied) - len(known)
    return Outcome(Code.CONFIG if misnamed else None, what, None, known, waiting, published)


def _check(inbox: Path) -> None:
    """An inbox holds PHI: it must be there, be ours, and be closed to others."""
    if not inbox.is_dir():
        raise Failure(Code.MISSING, f"{inbox}: no such inbox directory")
    status = inbox.stat()
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise Failure(Code.INSECURE, f"{inbox}: the inbox is open to others. Run: chmod 700 {shlex.quote(str(inbox))}")


def _rests(identity: Identity) -> bool:
    changed = identity[2]  # not the time of modification, which a copying program may set to anything
    return time.time_ns() - changed >= REST_SECONDS * 1e9


def _same(path: Path, raw: Path) -> bool:
    return raw.is_file() and filecmp.cmp(path, raw, shallow=False)


def _copy(path: Path, identity: Identity, copy: Path) -> bool:
    """Copy one file whole; False, and no copy, where it changed meanwhile."""
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
