"""The ledger of purged objects: a file next to the store, so that it survives the loss of the whole store.

`{store}.purged` holds one line per purged object: type and id, which is a digest of the record's natural key. It only
grows. Every writer compares it with the store, so that neither a deleted store nor an older copy of one brings a purged
record back.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from lorchestra.components.projector.objects.layout import Store
from lorchestra.records import names
from lorchestra.storage import private

_LINE = re.compile(r"([a-z][a-z0-9_]*) ([0-9A-F]{32})")

Entry = tuple[str, bytes]


def path(store: Store) -> Path:
    """Where the ledger of a store is."""
    return store.root.with_name(f"{store.root.name}.purged")


def make_private(store: Store) -> None:
    """Take the rights of other users, if there is a ledger."""
    with contextlib.suppress(FileNotFoundError):
        path(store).chmod(private.FILE_MODE)


def read(store: Store) -> set[Entry]:
    """Type and id of every purged object. A torn or foreign line is ignored."""
    try:
        lines = path(store).read_bytes().decode("ascii", "replace").splitlines()
    except FileNotFoundError:
        return set()
    matches = filter(None, map(_LINE.fullmatch, lines))
    return {(match[1], bytes.fromhex(match[2])) for match in matches if names.is_type(match[1])}


def add(store: Store, entries: Iterable[Entry]) -> None:
    """Add what is not in the ledger yet, durably."""
    known = read(store)
    new = sorted(entry for entry in set(entries) if entry not in known)
    if not new:
        return
    created = not path(store).exists()
    private.append_line(path(store), "\n".join(f"{kind} {each.hex().upper()}" for kind, each in new).encode("ascii"))
    descriptor = os.open(path(store), os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if created:
        private.sync_directory(path(store).parent)
