"""The permission check: only their owner may have access to the directories that hold PHI.

It runs before everything else and repairs nothing: others may already have read what they could read, and the owner
must know. Like OpenSSH's `StrictModes` and PostgreSQL's check of its data directory it goes beyond the mode: type,
owner, links, every ancestor, default ACLs, and every file and directory inside.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lorchestra.base.errors import Code, Failure, visible
from lorchestra.platform import acl
from lorchestra.storage import private, trust
from lorchestra.storage.listing import Listing
from lorchestra.storage.trust import Exposure, entries_are

ADVICE = "Nothing was run. Others had access to these files: treat the records as possibly disclosed."


def require(directories: Iterable[Path], content: Iterable[Path] = (), *, make: bool = True) -> None:
    """Refuse to continue unless the directories, and everything inside `content`, are private.

    Missing directories are created, private, once nothing else is wrong; not if `make` is false.
    Raises Failure(INSECURE) with each exposure and how to close it.
    """
    wanted = list(dict.fromkeys(directories))
    refuse((*examine(wanted), *(exposure for root in content for exposure in examine_content(root))))
    if make:
        create(wanted)


def create(directories: Iterable[Path]) -> None:
    """Create the missing ones, private. Raises Failure(INSECURE) if they inherited an ACL that opens new files."""
    missing = [directory for directory in directories if not os.path.lexists(directory)]
    for directory in missing:
        private.make_directory(directory)
    refuse(exposure for directory in missing for exposure in _examine_directory(directory))


def refuse(exposures: Iterable[Exposure]) -> None:
    """Raise Failure(INSECURE) that names each exposure once; return if there is none."""
    found = dict.fromkeys(exposures)
    if found:
        raise Failure(Code.INSECURE, "\n".join(map(str, found)), advice=ADVICE)


def examine(directories: Iterable[Path]) -> Iterator[Exposure]:
    """The exposures of the directories that exist, and of the paths to all of them."""
    wanted = list(directories)
    existing = [directory for directory in wanted if os.path.lexists(directory)]
    for directory in existing:
        yield from _examine_directory(directory)
    checked = set(existing)
    for directory in wanted:
        if directory.parent not in checked:
            yield from trust.examine_ways([directory.parent])


def _examine_directory(directory: Path) -> Iterator[Exposure]:
    status = directory.lstat()
    mode = stat.S_IMODE(status.st_mode)
    this = f"PHI directory {visible(str(directory))}"
    if stat.S_ISLNK(status.st_mode):
        yield Exposure(f"{this} is a link.", "Name the directory that it leads to in pipeline.yaml.")
    elif not stat.S_ISDIR(status.st_mode):
        yield Exposure(f"{this} is not a directory.", command=("mv", str(directory), f"{directory}.moved"))
    elif status.st_uid != os.geteuid():
        yield Exposure(f"{this} belongs to another user.", "Run as that user, or use a directory of your own.")
    elif mode & 0o777 != private.DIRECTORY_MODE:
        fault = f"{this} has insecure permissions {mode:#o}. Expected 0o700."
        yield Exposure(fault, command=("chmod", "700", str(directory)), safe=True)
    elif acl.has_default_acl(directory):
        fault = f"{this} has a default ACL that opens new files."
        yield Exposure(fault, command=("setfacl", "-k", str(directory)), safe=True)


_FAULTS: Mapping[str, tuple[str, str]] = {
    "open": ("open to others", ""),
    "acl": ("directories with a default ACL that opens new files", ""),
    "foreign": ("owned by another user", "( -not -uid {me} )"),
    "special": ("links, FIFOs, sockets or devices", "( -not -type f -not -type d )"),
    "linked": ("files with a second hard link, which may be elsewhere", "( -type f -links +1 )"),
}
_COMMANDS: Mapping[str, tuple[str, ...]] = {"open": ("chmod", "-R", "go="), "acl": ("setfacl", "-R", "-k")}


def examine_content(root: Path, known: Mapping[Path, Listing] | None = None) -> Iterator[Exposure]:
    """The exposures of everything inside a directory, hidden entries included, as counts: names may hold PHI.

    `known` are directories that have been listed already. Entries that disappear meanwhile are not counted.
    """
    counts = _count(root, known or {})
    for fault in (fault for fault in _FAULTS if counts[fault]):
        words, condition = _FAULTS[fault]
        text = f"PHI directory {visible(str(root))}: {entries_are(counts[fault])} {words}."
        if fault in _COMMANDS:
            yield Exposure(text, command=(*_COMMANDS[fault], str(root)), safe=True)
        else:
            find = ("find", str(root), *condition.format(me=os.geteuid()).split())
            yield Exposure(text, f"Move them away; to list them, run: {shlex.join(find)}")


def _count(root: Path, known: Mapping[Path, Listing]) -> Counter[str]:
    counts, me, pending = Counter[str](), os.geteuid(), [str(root)]
    # Meltano's plugins are linked into its private directories; programs may deliver links, which are then refused.
    links_allowed = tuple(f"{root}/{name}/" for name in ("sources", "staging", "refused") if root.name == ".work")
    while pending:
        directory = pending.pop()
        for path, status in _entries(directory, known.get(Path(directory)) if known else None):
            mode = status.st_mode
            if status.st_uid != me:
                counts["foreign"] += 1
            elif stat.S_ISDIR(mode):
                counts["open"] += bool(mode & 0o077)
                counts["acl"] += acl.has_default_acl(path)
                pending.append(path)
            elif stat.S_ISREG(mode):
                if mode & 0o077:
                    counts["open"] += 1
                elif status.st_nlink > 1:
                    counts["linked"] += 1
            elif not (stat.S_ISLNK(mode) and path.startswith(links_allowed)):
                counts["special"] += 1
    return counts


def _entries(directory: str, known: Listing | None) -> Iterator[tuple[str, os.stat_result]]:
    if known is not None:
        yield from ((f"{directory}/{name}", status) for name, status in known.entries())
        return
    try:
        scan = os.scandir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return
    with scan:
        for entry in scan:
            try:
                yield entry.path, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
