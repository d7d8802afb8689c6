"""Checking a store: every object against its seal and its row, every row against its object, and nothing else there.

Compared are: the bytes of each object file with its own seal and with the digest in its row; id, fingerprint, time and
columns in the database with those computed from the record; its words with the full text; counts, holdings and registry
files with the rows; tables, triggers and indexes with those of a new database; rejects and tombstones with what they
must hold; type, mode, owner and links of every file and directory. SQLite checks its own pages. docs/store.md lists
what each finding means and whether `repair` fixes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from lorchestra.components.projector.upkeep.connect import Opened
from lorchestra.components.projector.upkeep.verify import files, objects, rows
from lorchestra.components.projector.upkeep.verify.finding import Finding

__all__ = ["Finding", "verify"]


def verify(opened: Opened, *, words: bool = True) -> Iterator[Finding]:
    """Yield every fault of a store. Reads all of it; without `words`, the full text only as SQLite itself checks it."""
    yield from rows.pages(opened.connection)
    yield from rows.definitions(opened.connection)
    yield from files.check(opened)
    yield from rows.of_files(opened.connection)
    yield from objects.check(opened, words=words)
    yield from rows.of_objects(opened.connection)
    yield from files.registries(opened)
