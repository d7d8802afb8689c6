"""Who else could change a file or a directory: the checks of OpenSSH's StrictModes, for everything that we rely on.

Paths are walked from the root downward. Once a directory is known to be writable by nobody else, the names in it are
stable, so that no result can be invalidated between a check and the use of the file.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lorchestra.base.errors import Code, Failure, from_os_error, visible
from lorchestra.platform import acl
from lorchestra.platform.descriptors import SEARCH

_MOST_LINKS = 40
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # opening a FIFO must not block
_MOVE = "Move it below your own home directory."


class Exposure(NamedTuple):
    """A way for others to read or change what is ours.

    `command` closes it if a command can. `safe` commands only take rights away from others, never content:
    `lorchestra validate --fix` runs them.
    """

    fault: str
    advice: str = ""
    command: tuple[str, ...] = ()
    safe: bool = False

    def __str__(self) -> str:
        run = f"Run: {shlex.join(self.command)}" if self.command else ""
        return " ".join(part for part in (self.fault, self.advice, run) if part)


class Step(NamedTuple):
    """A directory, link or file that leads to a path."""

    path: Path
    status: os.stat_result


def steps(path: Path) -> Iterator[Step]:
    """Every directory and link on the way to a path and the path itself, from the root down, link targets included.

    Ends early where something does not exist. Raises OSError, Failure(PERMISSION) for a loop of links.
    """
    at, pending, links = Path("/"), list(reversed(path.absolute().parts[1:])), 0
    yield Step(at, at.lstat())
    while pending:
        name = pending.pop()
        if name == "..":
            at = at.parent
            continue
        step = at / name
        try:
            status = step.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return
        yield Step(step, status)
        if not stat.S_ISLNK(status.st_mode):
            at = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise Failure(Code.PERMISSION, f"{visible(str(path))}: too many links")
        target = step.readlink()
        at = Path("/") if target.is_absolute() else at
        pending += reversed([part for part in target.parts if part != "/"])


_LOCK = ".lock"
"""uv lets everybody write to the lock of a virtual environment, an empty file whose content nobody reads."""


def examine_ways(paths: Iterable[Path], *, shared: bool = True) -> Iterator[Exposure]:
    """How others could put something else in the place of these paths or change the files that they name.

    If `shared` is false, none of the paths may be a sticky directory either: others could add files to it.
    """
    seen = set[Path]()
    for path in paths:
        step = None
        for step in steps(path):
            if step.path not in seen:
                seen.add(step.path)
                yield from examine_step(step)
        if step and not shared:
            yield from _examine_shared(step)


def _examine_shared(step: Step) -> Iterator[Exposure]:
    """A sticky directory that others may add files to."""
    if others_may_write(step.path, step.status, sticky=False) and not others_may_write(step.path, step.status):
        yield Exposure(f"{visible(str(step.path))} is shared with other users.", "Use a directory of your own.")


def examine_step(step: Step) -> Iterator[Exposure]:
    """How others could change one directory, link or file."""
    name = visible(str(step.path))
    if step.status.st_uid not in (0, os.geteuid()):
        yield Exposure(f"{name} belongs to another user.", _MOVE if stat.S_ISDIR(step.status.st_mode) else "")
    elif not stat.S_ISLNK(step.status.st_mode) and others_may_write(step.path, step.status):
        yield Exposure(f"{name} can be changed by others.", command=("chmod", "go-w", str(step.path)))


def examine_tree(root: Path) -> Iterator[Exposure]:
    """How others could change a directory's content: one exposure for all its files and directories. Links count."""
    pending, foreign, writable = [str(root)], 0, 0
    me = os.geteuid()
    while pending:
        directory = pending.pop()
        try:
            entries = os.scandir(directory)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # nothing in a directory that we cannot read can be run by us
        with entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                mode = status.st_mode
                if status.st_uid not in (0, me):
                    foreign += 1
                elif entry.name == _LOCK and stat.S_ISREG(mode):
                    continue
                elif mode & 0o022 and not stat.S_ISLNK(mode) and others_may_write(entry.path, status, sticky=False):
                    writable += 1
                if stat.S_ISDIR(mode):
                    pending.append(entry.path)
    name = visible(str(root))
    if foreign:
        yield Exposure(f"{name}: {entries_are(foreign)} owned by another user.", "Review and replace the content.")
    if writable:
        yield Exposure(
            f"{name}: {entries_are(writable)} writable by others.", command=("chmod", "-R", "go-w", str(root))
        )


def read(path: Path, most_bytes: int) -> bytes:
    """The first bytes of a file that nobody else can change or replace.

    Every component is opened relative to the one before it and no link is followed; the descriptor that was checked is
    the one that is read. Raises Failure(INSECURE | MISSING | PERMISSION).
    """
    *directories, file = Path(os.path.normpath(path.absolute())).parts
    with contextlib.ExitStack() as stack:
        at, descriptor = Path(), -1
        try:
            for part in (*directories, file):
                at /= part
                flags = _READ if at == Path(*directories, file) else SEARCH
                descriptor = _open_next(descriptor, part, at, flags)
                stack.callback(os.close, descriptor)
                _require_own(at, descriptor, shared=at != Path(*directories))
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                kind = "is a directory" if stat.S_ISDIR(mode) else "not a regular file"
                raise Failure(Code.MISSING, f"{visible(str(path))}: {kind}")
            return _read(descriptor, most_bytes)
        except OSError as error:
            raise from_os_error(error, path) from None


def _open_next(parent: int, name: str, path: Path, flags: int) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=parent if parent >= 0 else None)
    except OSError:
        if parent >= 0 and _is_link(parent, name):
            exposure = Exposure(f"{visible(str(path))} is a link.", "Use the path that it leads to.")
            raise insecure([exposure]) from None
        raise


def _is_link(parent: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(name, dir_fd=parent).st_mode)
    except OSError:
        return False


def _require_own(path: Path, descriptor: int, *, shared: bool) -> None:
    step = Step(path, os.fstat(descriptor))
    exposures = [*examine_step(step), *(() if shared else _examine_shared(step))]
    if exposures:
        raise insecure(exposures)


def _read(descriptor: int, most_bytes: int) -> bytes:
    parts, left = [], most_bytes
    while left and (part := os.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def insecure(exposures: Iterable[Exposure]) -> Failure:
    """The failure for files that run or decide and that others could have changed. Each exposure is named once."""
    return Failure(
        Code.INSECURE,
        "\n".join(map(str, dict.fromkeys(exposures))),
        advice="Nothing was run. Others could have changed these files: review their content before you start again.",
    )


def others_may_write(path: str | Path, status: os.stat_result, *, sticky: bool = True) -> bool:
    """Whether somebody else may write to a file or change the names in a directory.

    In a sticky directory nobody else can rename what is ours (not considered if `sticky` is false). A group in which
    nobody else is does not count: with umask 002 every file of a user is writable by the user's own group.
    """
    mode = status.st_mode
    if sticky and stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        return False
    if mode & 0o002:
        return True
    # With an ACL, the group's bits stand for everybody whom the ACL names.
    return bool(mode & 0o020) and (acl.has_access_acl(path) or not _is_own_group(status.st_gid, status.st_uid == 0))


@functools.cache
def _is_own_group(gid: int, of_root: bool) -> bool:
    """Whether a group is the user's private one, or a system group without members on a file of root (Debian: staff).

    Tables of users on a network need not list everybody, so an empty group of ordinary users proves nothing.
    """
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    members = {*group.gr_mem, *(other.pw_name for other in pwd.getpwall() if other.pw_gid == gid)}
    if of_root and gid < _FIRST_ORDINARY_GROUP:
        return members <= {"root", user.pw_name}
    return group.gr_name == user.pw_name and members <= {user.pw_name}


_FIRST_ORDINARY_GROUP = 1000  # as on every current Linux distribution (GID_MIN in login.defs)


def entries_are(count: int) -> str:
    """`1 entry is`, `2 entries are`."""
    return f"{count:,} {'entry is' if count == 1 else 'entries are'}"
