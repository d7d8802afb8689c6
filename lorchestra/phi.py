"""The permission check: nobody but their owner may reach the directories that hold PHI.

It runs before anything else and mends nothing by itself: what others could read may have been read, and the owner
should know. Its measure is OpenSSH's `StrictModes` and PostgreSQL's data directory, which is more than a comparison of
modes: type, owner, links, every ancestor, default ACLs, and the files inside.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lorchestra.base.errors import Code, Failure
from lorchestra.storage import private
from lorchestra.storage.listing import Listing

_ACL = "system.posix_acl_access"
_DEFAULT_ACL = "system.posix_acl_default"


class Exposure(NamedTuple):
    """A way in for others, and the sentence that says how to close it: `Run: ` and a command, where one does."""

    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what} {self.mend}"


def require(directories: Iterable[Path], listings: Iterable[Listing] = (), *, make: bool = True) -> None:
    """Refuse to go on unless every directory is private and so is what the listings hold.

    Directories that do not exist are made, private, when nothing else is wrong, or with `make` false passed over.
    Raises Failure(INSECURE) that names each exposure and how to mend it.
    """
    wanted = dict.fromkeys(directories)
    missing = [directory for directory in wanted if not os.path.lexists(directory)]
    found = [exposure for directory in wanted if directory not in missing for exposure in examine(directory)]
    found += [exposure for listing in listings for exposure in examine_content(listing)]
    for directory in missing if make and not found else ():
        private.make_directory(directory)
        found += examine(directory)
    if found:
        lines = "\n".join(map(str, dict.fromkeys(found)))
        raise Failure(Code.INSECURE, lines, advice="Nothing was run. Who could read these may have read them.")


def trust(configuration: Path) -> None:
    """Refuse a configuration that others could have written: it chooses the programs that are given the PHI.

    Raises Failure(INSECURE).
    """
    status = configuration.stat()
    if status.st_uid not in (0, os.geteuid()):
        exposure = Exposure(f"{configuration} belongs to another user.", "Copy it, look at it, and use your copy.")
    elif _others_may_write(configuration, status):
        exposure = Exposure(f"{configuration} can be changed by others.", _run("chmod", "go-w", configuration))
    else:
        return
    raise Failure(Code.INSECURE, str(exposure), advice="Nothing was run. Look first at what stands in it.")


def examine(directory: Path) -> Iterator[Exposure]:
    """The exposures of one directory and of the path that leads to it."""
    status = directory.lstat()
    mode = stat.S_IMODE(status.st_mode)
    this = f"PHI directory {directory}"
    if stat.S_ISLNK(status.st_mode):
        yield Exposure(f"{this} is a link.", "Name the directory that it leads to in the configuration.")
    elif not stat.S_ISDIR(status.st_mode):
        yield Exposure(f"{this} is not a directory.", _run("mv", directory, f"{directory}.moved"))
    elif status.st_uid != os.geteuid():
        yield Exposure(f"{this} belongs to another user.", "Run as that user, or name a directory of your own.")
    elif mode & 0o777 != private.DIRECTORY_MODE:
        yield Exposure(f"{this} has insecure permissions {mode:#o}. Expected 0o700.", _run("chmod", "700", directory))
    elif _has_acl(directory, _DEFAULT_ACL):
        yield Exposure(f"{this} has a default ACL that opens new files.", _run("setfacl", "-k", directory))
    yield from _examine_ancestors(directory)


def examine_content(listing: Listing) -> Iterator[Exposure]:
    """The exposures of what lies directly in a directory, as counts: names inside may be anything."""
    if count := listing.open_to_others():
        yield Exposure(
            f"PHI directory {listing.path}: {_entries(count)} open to others.", _run("chmod", "-R", "go=", listing.path)
        )
    if count := listing.foreign(os.geteuid()):
        words = ("find", listing.path, "-maxdepth", "1", "(", "-not", "-uid", os.geteuid(), "-or", "-not", "-type", "f")
        yield Exposure(
            f"PHI directory {listing.path}: {_entries(count)} owned by others or neither file nor directory.",
            f"Move them away; to see them, run: {_words(*words, '-not', '-type', 'd', ')')}",
        )


def _entries(count: int) -> str:
    return f"{count} {'entry is' if count == 1 else 'entries are'}"


def _run(*words: object) -> str:
    return f"Run: {_words(*words)}"


def _words(*words: object) -> str:
    return shlex.join(map(str, words))


def _examine_ancestors(directory: Path) -> Iterator[Exposure]:
    """Whoever may write to an ancestor can put another directory in the place of ours."""
    for ancestor in _ways(directory):
        status = ancestor.stat()
        if {status.st_uid, ancestor.lstat().st_uid} - {0, os.geteuid()}:
            yield Exposure(
                f"{ancestor}, above {directory}, belongs to another user.",
                "Put the PHI directory below your own home directory.",
            )
        elif _others_may_write(ancestor, status):
            yield Exposure(f"{ancestor}, above {directory}, can be changed by others.", _run("chmod", "go-w", ancestor))


def _ways(directory: Path) -> Iterator[Path]:
    """The directories that are passed on the way to one; those that a link leads through are passed too."""
    pending, passed = list(directory.parents), set[Path]()
    while pending:
        path = pending.pop()
        if path in passed:
            continue
        passed.add(path)
        yield path
        if path.is_symlink():
            target = path.parent / path.readlink()
            pending += [*target.parents, target]


def _others_may_write(path: Path, status: os.stat_result) -> bool:
    """A sticky directory protects what is ours in it; so does a group that has nobody else in it (umask 002)."""
    if status.st_mode & stat.S_ISVTX:
        return False
    if status.st_mode & 0o002:
        return True
    # Where there is an ACL, the group's bits stand for everybody that it names.
    return bool(status.st_mode & 0o020) and (_has_acl(path, _ACL) or not _is_own_group(status.st_gid))


def _is_own_group(gid: int) -> bool:
    """Whether a group is the user's private one: named as the user, and nobody else's."""
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    members = {*group.gr_mem, *(other.pw_name for other in pwd.getpwall() if other.pw_gid == gid)}
    return group.gr_name == user.pw_name and members <= {user.pw_name}


def _has_acl(directory: Path, kind: str) -> bool:
    try:
        return bool(os.getxattr(directory, kind))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise
