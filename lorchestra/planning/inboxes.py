"""Which directories may be an inbox. `mode: move` removes files from it, so it must hold nothing else of ours.

An inbox may be a directory of its own inside phi-data (such as phi-data/inbox) or anywhere else. Directories are
compared by device and inode, through links, because one directory can have several names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path


def refusal(inbox: Path, own: Mapping[str, Path], phi_directory: Path, others: Mapping[str, Path]) -> str:
    """Why a directory cannot be an inbox; empty if it can.

    `own` are the pipeline's directories by name; the inbox must not equal, contain or be inside one. It must not be
    `phi_directory`, nor contain it. `others` are the other sources' inboxes by source.
    """
    chain = list(_chain(inbox))
    if _same(chain[:1], Path("/")):
        return "is the root directory"
    if _same(chain[:1], phi_directory):
        return "is the PHI directory itself: use a directory of its own, such as phi-data/inbox"
    if _same(list(_chain(phi_directory)), inbox):
        return "contains the PHI directory"
    for name, directory in own.items():
        if relation := _relation(inbox, chain, directory):
            return f"{relation} {name}"
    for source, other in others.items():
        if relation := _relation(inbox, chain, other):
            return f"{relation} the inbox of source {source}"
    return ""


def _relation(inbox: Path, chain: list[os.stat_result | str], other: Path) -> str:
    if _same(chain[:1], other):
        return "is"
    if _same(chain, other):
        return "is inside"
    return "contains" if _same(list(_chain(other)), inbox) else ""


def _same(chain: list[os.stat_result | str], path: Path) -> bool:
    """Whether a path is one of a chain's directories."""
    wanted = _identity(os.path.realpath(path))
    if isinstance(wanted, str):
        return wanted in chain
    return any(not isinstance(entry, str) and os.path.samestat(entry, wanted) for entry in chain)


def _chain(path: Path) -> Iterator[os.stat_result | str]:
    """A directory and all its ancestors, with links resolved."""
    real = Path(os.path.realpath(path))
    yield from (_identity(str(entry)) for entry in (real, *real.parents))


def _identity(real: str) -> os.stat_result | str:
    """What a directory is compared by: its stat result, or its path while it does not exist."""
    try:
        return os.stat(real)
    except OSError:
        return real
