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

from lorchestra.base import private
from lorchestra.base.errors import Code, Failure
from lorchestra.base.listing import Listing

_DEFAULT_ACL = "system.posix_acl_default"


class Exposure(NamedTuple):
    """A way in for others, and the command that closes it."""

    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what} Run: {self.mend}"


def require(directories: Iterable[Path], listings: Iterable[Listing] = (), *, make: bool = True) -> None:
    """Refuse to go on unless every directory is private and so is what the listings hold.

    Directories that do not exist are made, private, or with `make` false passed over. Raises Failure(INSECURE) that
    names each exposure and the command that mends it.
    """
    present = []
    for directory in dict.fromkeys(directories):
        if make and not os.path.lexists(directory):
            private.make_directory(directory)
        if os.path.lexists(directory):
            present.append(directory)
    found = [exposure for directory in present for exposure in examine(directory)]
    found += [exposure for listing in listings for exposure in examine_content(listing)]
    if found:
        lines = "\n".join(map(str, dict.fromkeys(found)))
        raise Failure(Code.INSECURE, lines, advice="Nothing was run. Who could read these may have read them.")


def examine(directory: Path) -> Iterator[Exposure]:
    """The exposures of one directory and of the path that leads to it."""
    name = shlex.quote(str(directory))
    status = directory.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        yield Exposure(f"PHI directory {directory} is a link.", f"name the directory itself in place of {name}")
    elif not stat.S_ISDIR(status.st_mode):
        yield Exposure(f"PHI directory {directory} is not a directory.", f"mv {name} {name}.moved")
    elif status.st_uid != os.geteuid():
        yield Exposure(f"PHI directory {directory} belongs to another user.", f"chown -R {os.geteuid()} {name}")
    elif mode & 0o777 != private.DIRECTORY_MODE:
        yield Exposure(
            f"PHI directory {directory} has insecure permissions {mode:#o}. Expected 0o700.", f"chmod 700 {name}"
        )
    elif _has_default_acl(directory):
        yield Exposure(f"PHI directory {directory} has a default ACL that opens new files.", f"setfacl -k {name}")
    yield from _examine_ancestors(directory)


def examine_content(listing: Listing) -> Iterator[Exposure]:
    """The exposure of what lies directly in a directory, as a count: names inside may be anything."""
    count = listing.exposed(os.geteuid())
    if count:
        entries = "entry is" if count == 1 else "entries are"
        yield Exposure(
            f"PHI directory {listing.path}: {count} {entries} open to others, owned by others or not a plain file.",
            f"chmod -R go= {shlex.quote(str(listing.path))} (and look for links and foreign owners)",
        )


def _examine_ancestors(directory: Path) -> Iterator[Exposure]:
    """Whoever may write to an ancestor can put another directory in the place of ours."""
    for ancestor in Path(os.path.realpath(directory)).parents:
        status = ancestor.stat()
        if status.st_uid not in (0, os.geteuid()):
            yield Exposure(
                f"{ancestor}, above {directory}, belongs to another user.",
                "put the PHI directory below your own home directory",
            )
        elif _others_may_write(status):
            yield Exposure(
                f"{ancestor}, above {directory}, can be changed by others.", f"chmod go-w {shlex.quote(str(ancestor))}"
            )


def _others_may_write(status: os.stat_result) -> bool:
    """A sticky directory protects what is ours in it; so does a group that has nobody else in it (umask 002)."""
    if status.st_mode & stat.S_ISVTX:
        return False
    return bool(status.st_mode & 0o002) or bool(status.st_mode & 0o020 and not _is_own_group(status.st_gid))


def _is_own_group(gid: int) -> bool:
    """Whether a group is the user's private one: named as the user, and without other members."""
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _has_default_acl(directory: Path) -> bool:
    try:
        return bool(os.getxattr(directory, _DEFAULT_ACL))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise
