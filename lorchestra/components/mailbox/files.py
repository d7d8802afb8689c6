"""Which files below a path hold mail, and which of them changed since they were read last."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from lorchestra.base.errors import Code, Failure
from lorchestra.components.mailbox import mbox
from lorchestra.storage import listing
from lorchestra.storage.listing import Identity

Kind = Literal["mbox", "maildir", "emlx", "eml"]
_HEAD = 4096


class MailFile(NamedTuple):
    """A file with mail. `kind` is None if it holds none."""

    path: Path
    kind: Kind | None
    identity: Identity

    @property
    def changed(self) -> int:
        """When the file changed, in milliseconds since 1970."""
        return self.identity[1] // 1_000_000

    @property
    def rests(self) -> bool:
        """Whether nobody writes to the file any more, as far as its times tell."""
        return listing.rests(self.identity)


def find(root: Path) -> Iterator[MailFile]:
    """Every regular file at or below `root`, in a fixed order. Links are not followed, hidden files not looked at.

    Raises Failure(MISSING).
    """
    if not root.exists():
        raise Failure(Code.MISSING, f"{root}: no such mailbox")
    if not root.is_dir():
        yield _file(root)
        return
    for directory, folders, files in os.walk(root):
        # Maildir++ keeps its folders in directories whose names begin with a dot.
        folders[:] = sorted(name for name in folders if not name.startswith(".") or _is_maildir(Path(directory, name)))
        if "tmp" in folders and _is_maildir(Path(directory)):
            folders.remove("tmp")  # messages that are not delivered yet
        found: list[MailFile] = []
        for name in sorted(files):
            path = Path(directory, name)
            if not (name.startswith(".") or _is_index(path)):
                with contextlib.suppress(FileNotFoundError):  # a mail program moves files: the next run finds it
                    if stat.S_ISREG(path.lstat().st_mode):
                        found.append(_file(path))
        yield from found


def _file(path: Path) -> MailFile:
    identity = listing.identity(path.stat())
    return MailFile(path, _kind(path), identity)


def _kind(path: Path) -> Kind | None:
    if path.parent.name in ("cur", "new") and _is_maildir(path.parent.parent):
        return "maildir"
    suffix = path.suffix.lower()
    if suffix == ".emlx":
        return "emlx"
    with path.open("rb") as file:
        if mbox.is_mbox(file.read(_HEAD)):
            return "mbox"
    return "eml" if suffix == ".eml" else None


def _is_index(path: Path) -> bool:
    """Whether a mail program keeps its own notes in the file: Thunderbird's index, the mark of a Maildir's folder."""
    return path.suffix == ".msf" or path.name == "maildirfolder"


def _is_maildir(directory: Path) -> bool:
    return (directory / "cur").is_dir() and (directory / "new").is_dir()
