"""Checking a purge: what was removed must be nowhere in the bytes of the store.

Searched for: the digests of the removed objects, and words that no remaining record has in full text or in a column.
Where: the database, its write-ahead log and shared memory, registry, journals, quarantine; and, through the full text's
own index, every removed row by each of its words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from lorchestra.components.projector.database import metadata_db, migrations
from lorchestra.components.projector.database.lookup import Found
from lorchestra.components.projector.objects import object_files, scan
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.record import words as words_of

_WORD = re.compile(r"\w{6,}")
_MOST_WORDS = 16
"""Each one costs a pass over the database; the longest words are the most telling."""
_SHORTEST = 4
_HOLDS_MARK = "SELECT 1 FROM fields_{kind} WHERE instr(CAST(c{no} AS BLOB), ?) LIMIT 1"
_BLOCK = 8 * 1024 * 1024


class Evidence(NamedTuple):
    """What a removed object could be recognised by: taken before the purge, kept in memory alone."""

    rows: tuple[int, ...]
    digests: tuple[bytes, ...]
    words: tuple[str, ...]


class Check(NamedTuple):
    """How many marks were searched for, and the files in which one was found."""

    searched: int
    traces: tuple[str, ...]


def take(store: Store, matches: Sequence[Found]) -> Evidence:
    """The evidence of objects that are about to be purged."""
    digests: list[bytes] = []
    words: set[str] = set()
    for found in matches:
        envelope = object_files.read(store, found.name)
        for digest in (envelope.sha256, envelope.fingerprint):
            digests += [digest, digest.hex().encode("ascii")]
        words.update(word for text in _texts(envelope.parsed()) for word in _WORD.findall(text))
    return Evidence(tuple(found.no for found in matches), tuple(digests), tuple(sorted(words, key=len, reverse=True)))


def check(store: Store, connection: apsw.Connection, evidence: Evidence) -> Check:
    """Search the store for the evidence."""
    words = _own_words(connection, evidence.words)
    marks = {*evidence.digests, *(form.encode() for word in words for form in (word, word.lower()))}
    traces = [str(path.relative_to(store.root)) for path in _files(store) if _holds(store, connection, path, marks)]
    if any(_finds(connection, no, evidence.words) for no in evidence.rows) or _signposts(connection, words):
        traces.append("full text")
    return Check(len(marks), tuple(traces))


def _own_words(connection: apsw.Connection, words: Sequence[str]) -> list[str]:
    """The longest words with which no remaining word begins, nor anything that the database says about itself."""
    said = _said_by_the_store(connection)
    own = (
        word
        for word in words
        if word.lower() not in said and word.lower().encode() not in _empty() and not _begins_a_word(connection, word)
    )
    return list(islice(own, _MOST_WORDS))


def _begins_a_word(connection: apsw.Connection, text: str) -> bool:
    query = "SELECT 1 FROM fulltext WHERE fulltext MATCH ? LIMIT 1"
    return (
        bool(words_of.match(text))
        and metadata_db.value(connection, query, (words_of.match(text, prefix=True),)) is not None
    )


def _signposts(connection: apsw.Connection, words: Sequence[str]) -> bool:
    """Whether the full text keeps the beginning of a word, as a signpost between its pages, that is nobody else's."""
    posts = {bytes(term)[1:] for (term,) in connection.execute("SELECT CAST(term AS BLOB) FROM fulltext_idx")}
    beginnings = {word.lower()[:length] for word in words for length in range(_SHORTEST, len(word) + 1)}
    return any(text.encode() in posts and not _begins_a_word(connection, text) for text in beginnings)


def _said_by_the_store(connection: apsw.Connection) -> str:
    """What the database says about itself: the names of schemas, properties and files are no traces of a record."""
    tables = ("SELECT schema, rules FROM reading", "SELECT property FROM field", "SELECT name, settings FROM file")
    return "\n".join(str(row) for query in tables for row in metadata_db.rows(connection, query)).lower()


@cache
def _empty() -> bytes:
    """The bytes of a database without a record, in lower case: words of SQLite's own schema are no traces."""
    connection = apsw.Connection(":memory:")
    migrations.apply(connection)
    return bytes(connection.serialize("main")).lower()


def _finds(connection: apsw.Connection, no: int, words: Sequence[str]) -> bool:
    query = "SELECT 1 FROM fulltext WHERE fulltext MATCH ? AND rowid = ?"
    matches = filter(None, map(words_of.match, words))
    return any(metadata_db.value(connection, query, (match, no)) for match in matches)


def _files(store: Store) -> Iterator[Path]:
    """All but the remaining objects and the remaining rejects, which are records of their own."""
    places = [place for place in store.root.iterdir() if place.name not in ("objects", "rejects")]
    for place in sorted(places):
        yield from (path for path in (place, *sorted(place.rglob("*"))) if path.is_file())


def _holds(store: Store, connection: apsw.Connection, path: Path, marks: Collection[bytes]) -> bool:
    """Whether a file holds a mark that is not a remaining record's too."""
    found = {mark for mark in _found(path, marks) if not _is_in_a_column(connection, mark)}
    for entry in scan.walk(store) if found else ():  # the last word, for it reads every object
        content = object_files.content(entry.path).lower()
        found = {mark for mark in found if mark.lower() not in content}
    return bool(found)


def _found(path: Path, marks: Collection[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    overlap = max(map(len, marks), default=1) - 1
    with path.open("rb") as file:
        block = b""
        while more := file.read(_BLOCK):
            block = block[-overlap:] + more
            found.update(mark for mark in marks if mark not in found and mark in block)
    return found


def _is_in_a_column(connection: apsw.Connection, mark: bytes) -> bool:
    """Whether a remaining object has these bytes in a property that is a column of the database."""
    columns = metadata_db.rows(connection, "SELECT type, no FROM field WHERE NOT lazy")
    return any(metadata_db.value(connection, _HOLDS_MARK.format(kind=kind, no=no), (mark,)) for kind, no in columns)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)
