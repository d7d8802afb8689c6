"""Closes exposures where that is safe: rights of others are taken away, content and owners stay as they are."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from lorchestra.platform import acl
from lorchestra.storage.trust import Exposure


def repair(exposures: Iterable[Exposure]) -> list[str]:
    """Do what the safe ones' commands do, without a shell; return these commands.

    What cannot be repaired stays for the next check to report.
    """
    done = []
    for exposure in dict.fromkeys(exposures):
        if exposure.safe:
            with contextlib.suppress(OSError):
                _carry_out(exposure.command)
                done.append(shlex.join(exposure.command))
    return done


def _carry_out(command: tuple[str, ...]) -> None:
    program, *options, path = command
    paths = _tree(path) if "-R" in options else iter([path])
    for each in paths:
        status = os.lstat(each)
        if status.st_uid != os.geteuid() or stat.S_ISLNK(status.st_mode):
            continue
        if program == "setfacl":
            if stat.S_ISDIR(status.st_mode) and acl.has_default_acl(each):
                acl.remove_default_acl(each)
        else:
            mode = stat.S_IMODE(status.st_mode)
            os.chmod(each, 0o700 if options == ["700"] else mode & ~0o077)


def _tree(root: str) -> Iterator[str]:
    yield root
    for directory, directories, files in os.walk(root):
        yield from (str(Path(directory, name)) for name in (*directories, *files))
