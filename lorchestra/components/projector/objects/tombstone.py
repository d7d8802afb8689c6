"""Tombstones keep a purged object from returning with the next pull.

A tombstone is a file next to where the object was, so that it survives the loss of the database. It contains
type and id.
"""

from __future__ import annotations

from lorchestra.components.projector.objects.layout import Store
from lorchestra.storage import private

FORMAT = "lorchestra.tombstone/1"


def content(kind: str, identity: bytes) -> bytes:
    """What a tombstone's file holds."""
    return f'{{"format":"{FORMAT}","type":"{kind}","id":"{identity.hex().upper()}"}}\n'.encode("ascii")


def write(store: Store, kind: str, identity: bytes) -> None:
    """Write a tombstone. It is durable after the next `object_files.sync`."""
    path = store.tombstone(kind, identity)
    private.make_directory(path.parent)
    private.write(path, content(kind, identity), durable=False)
