"""The proof of a purge: what was removed is nowhere in the store's bytes any more.

Searched for: the digests of the removed objects, and words of theirs that no remaining object has. Where: the
database, its write-ahead log and shared memory, registry, rejects, journals, quarantine; and, through the full text's
own index, every removed row by each of its words.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from lorchestra.components.projector import database, objects, scan
from lorchestra.components.projector.layout import Store
from lorchestra.components.projector.lookup import Found

_WORD = re.compile(r"\w{6,}")
_MOST_WORDS = 64


class Evidence(NamedTuple):
    """What a removed object could be recognised by: taken before the purge, kept in memory alone."""

    rows: tuple[int, ...]
    digests: tuple[bytes, ...]
    words: tuple[str, ...]


class Proof(NamedTuple):
    """How many marks were searched for, and the files in which one was found."""

    searched: int
    traces: tuple[str, ...]


def take(store: Store, matches: Sequence[Found]) -> Evidence:
    """The evidence of objects that are about to be purged."""
    digests: list[bytes] = []
    words: set[str] = set()
    for found in matches:
        envelope = objects.read(store, found.name)
        for digest in (envelope.sha256, envelope.fingerprint):
            digests += [digest, digest.hex().encode("ascii")]
        words.update(word for text in _texts(envelope.parsed()) for word in _WORD.findall(text))
    return Evidence(tuple(found.no for found in matches), tuple(digests), tuple(sorted(words, key=len, reverse=True)))


def prove(store: Store, connection: apsw.Connection, evidence: Evidence) -> Proof:
    """Search the store for the evidence."""
    own = _own_words(store, connection, evidence.words)
    marks = [*evidence.digests, *(form.encode() for word in own for form in {word, word.lower()})]
    traces = [str(path.relative_to(store.root)) for path in _files(store) if _holds(path, marks)]
    if any(_finds(connection, no, evidence.words) for no in evidence.rows):
        traces.append("full text")
    return Proof(len(marks), tuple(traces))


def _own_words(store: Store, connection: apsw.Connection, words: Sequence[str]) -> list[str]:
    """The longest words that no remaining record has."""
    connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.term USING fts5vocab(main, fulltext, row)")
    known = "SELECT 1 FROM temp.term WHERE term = ?"
    said = _said_by_the_store(connection)
    own = [word for word in words if word.lower() not in said]
    own = [word for word in own if database.value(connection, known, (word.lower(),)) is None][: 2 * _MOST_WORDS]
    for path in _others(store):
        if not own:
            break
        content = path.read_bytes()
        own = [word for word in own if word.encode() not in content and word.lower().encode() not in content]
    return own[:_MOST_WORDS]


def _others(store: Store) -> Iterator[Path]:
    """The files that hold other records."""
    yield from (store.root / "rejects").iterdir()
    yield from (entry.path for entry in scan.walk(store))


def _said_by_the_store(connection: apsw.Connection) -> str:
    """What the database says about itself: the names of schemas, properties and files are no traces of a record."""
    tables = ("SELECT schema, rules FROM reading", "SELECT property FROM field", "SELECT name, settings FROM file")
    return "\n".join(str(row) for query in tables for row in database.rows(connection, query)).lower()


def _finds(connection: apsw.Connection, no: int, words: Sequence[str]) -> bool:
    query = "SELECT 1 FROM fulltext WHERE fulltext MATCH ? AND rowid = ?"
    return any(database.value(connection, query, (f'"{word}"', no)) for word in words)


def _files(store: Store) -> Iterator[Path]:
    for path in sorted(store.root.rglob("*")):
        if path.is_file() and not path.is_relative_to(store.objects):
            yield path


def _holds(path: Path, marks: Sequence[bytes]) -> bool:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(mark) >= 0 for mark in marks)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)
