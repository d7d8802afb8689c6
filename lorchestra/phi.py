"""The permission check: only their owner may have access to the directories that hold PHI.

It runs before everything else and repairs nothing: others may already have read what they could read, and the owner
must know. Like OpenSSH's `StrictModes` and PostgreSQL's check of its data directory it goes beyond the mode: type,
owner, links, every ancestor, default ACLs, and every file and directory inside.
"""

from __future__ import annotations

import contextlib
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


_DEEPEST = 100
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_FAULTS: Mapping[str, tuple[str, str]] = {
    "open": ("open to others", ""),
    "acl": ("directories with a default ACL that opens new files", ""),
    "foreign": ("owned by another user", "( -not -uid {me} )"),
    "special": ("links, FIFOs, sockets or devices", "( -not -type f -not -type d )"),
    "closed": ("directories that you cannot read", "-type d -not -readable"),
    "deep": (f"nested deeper than {_DEEPEST} levels", "-mindepth {deepest}"),
    "linked": ("files with a second hard link, which may be elsewhere", "( -type f -links +1 )"),
}
_COMMANDS: Mapping[str, tuple[str, ...]] = {"open": ("chmod", "-R", "go="), "acl": ("setfacl", "-R", "-k")}


def examine_content(root: Path, known: Mapping[Path, Listing] | None = None) -> Iterator[Exposure]:
    """The exposures of everything inside a directory, hidden entries included, as counts: names may hold PHI.

    `known` are directories that have been listed already. Entries that disappear meanwhile are not counted.
    """
    counts = _Count(root, known or {}).counts
    for fault in (fault for fault in _FAULTS if counts[fault]):
        words, condition = _FAULTS[fault]
        text = f"PHI directory {visible(str(root))}: {entries_are(counts[fault])} {words}."
        if fault in _COMMANDS:
            yield Exposure(text, command=(*_COMMANDS[fault], str(root)), safe=True)
        else:
            find = ("find", str(root), *condition.format(me=os.geteuid(), deepest=_DEEPEST + 1).split())
            yield Exposure(text, f"Move them away; to list them, run: {shlex.join(find)}")


class _Count:
    """How many entries below a directory have each fault.

    Hundreds of thousands are checked before every run: names are looked up relative to open directories.
    """

    def __init__(self, root: Path, known: Mapping[Path, Listing]) -> None:
        self.counts = Counter[str]()
        self._me = os.geteuid()
        self._known = {str(path): listed for path, listed in known.items()}
        # Meltano's plugins are linked into its private directories; programs may deliver links, which are then refused.
        names = ("sources", "meltano", "staging", "refused") if root.name == ".work" else ()
        self._links_allowed = tuple(f"{root}/{name}/" for name in names)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._directory(os.open(root, _OPEN), str(root), 0)

    def _directory(self, descriptor: int, path: str, depth: int) -> None:
        try:
            for name in self._entries(descriptor, path):
                if depth == _DEEPEST:
                    self.counts["deep"] += 1
                    continue
                try:
                    inner = os.open(name, _OPEN, dir_fd=descriptor)
                except (FileNotFoundError, NotADirectoryError):  # removed meanwhile
                    continue
                except PermissionError:
                    self.counts["closed"] += 1
                    continue
                self.counts["acl"] += acl.has_default_acl(inner)
                self._directory(inner, f"{path}/{name}", depth + 1)
        finally:
            os.close(descriptor)

    def _entries(self, descriptor: int, path: str) -> list[str]:
        """Count the entries of a directory; return the names of its directories."""
        known = self._known.get(path)
        if known is not None:
            for name, status in known.entries():
                self._entry(status, f"{path}/{name}")
            return [name for name, status in known.entries() if stat.S_ISDIR(status.st_mode)]
        directories = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                self._entry(status, path)
                if stat.S_ISDIR(status.st_mode):
                    directories.append(entry.name)
        return directories

    def _entry(self, status: os.stat_result, path: str) -> None:
        mode = status.st_mode
        if status.st_uid != self._me:
            self.counts["foreign"] += 1
        elif stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            if mode & 0o077:
                self.counts["open"] += 1
            elif status.st_nlink > 1 and stat.S_ISREG(mode):
                self.counts["linked"] += 1
        elif not (stat.S_ISLNK(mode) and f"{path}/".startswith(self._links_allowed)):
            self.counts["special"] += 1
