"""Full-text search: words to rows, rows to results with a snippet.

The database keeps the words, not the texts, so a snippet is cut by a second, passing full-text index in memory over the
few objects that are shown.
"""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

import apsw

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.database import lookup, metadata_db
from lorchestra.components.projector.database.lookup import Found
from lorchestra.components.projector.objects import layout, object_files
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query.embedding import MODEL
from lorchestra.components.projector.record import schema

OPEN, CLOSE = "\ue000", "\ue001"  # private-use marks around a matched word
_WORD = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')
_STEPS = 1000
_SNIPPET_WORDS = 14


class Wanted(NamedTuple):
    """What is searched for. `match` is FTS5 syntax; no `kinds` means all; days are inclusive."""

    match: str
    kinds: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    limit: int = 20
    every_state: bool = False


class Result(NamedTuple):
    """A found object; matched words of the snippet stand between OPEN and CLOSE."""

    found: Found
    title: str
    snippet: str


def match(words: str) -> str:
    """FTS5 syntax for what a person types: all words, "phrases", beginnings*, -without. Raises Failure(USAGE).

    Every word is quoted, so that no sign in it has a meaning of its own.
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    for minus, phrase, word in _WORD.findall(words.replace("\0", " ")):
        star = "*" if word.endswith("*") else ""
        text = phrase or word.rstrip("*").replace('"', " ")
        if any(letter.isalnum() for letter in text):
            (unwanted if minus else wanted).append(f'"{text}"{star}')
    if not wanted:
        raise Failure(Code.USAGE, "no words to search for", advice="vector-projector search 'tea lemon* -coffee'")
    return " AND ".join(wanted) + "".join(f" NOT {term}" for term in unwanted)


def newest(connection: apsw.Connection, wanted: Wanted) -> list[Found]:
    """The newest matches: by day, within a day by their moment. Takes a few milliseconds at a million objects.

    A row's number begins with type and day, so that each type yields its matches newest first without sorting any.
    """
    streams = [_by_row(connection, wanted, *span) for span in _spans(connection, wanted)]
    merged = heapq.merge(*streams, key=lambda found: layout.row_day(found.no), reverse=True)
    page = [found for found, _ in zip(merged, range(wanted.limit), strict=False)]
    return sorted(page, key=lambda found: (layout.row_day(found.no), found.time or 0), reverse=True)


def ranked(connection: apsw.Connection, wanted: Wanted, seconds: float) -> list[Found] | None:
    """The best matches by BM25, None where ranking took more than so many seconds: common words have many matches."""
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    condition, bounds = _anywhere("fulltext.rowid", _spans(connection, wanted))
    query = _QUERY.format(condition, "ORDER BY bm25(fulltext, 4.0, 1.0) LIMIT ?")
    values = (wanted.match, *bounds, wanted.every_state, wanted.limit)
    try:
        return [lookup.found(row) for row in metadata_db.rows(connection, query, values)]
    except apsw.InterruptError:
        return None
    finally:
        connection.set_progress_handler(None)


def nearest(connection: apsw.Connection, wanted: Wanted, vector: bytes) -> list[Found]:
    """The objects whose vectors are nearest to one (384 float32): every vector of the types and days is compared."""
    condition, bounds = _anywhere("object.no", _spans(connection, wanted))
    query = f"""{lookup.SELECT} JOIN embedding ON embedding.object = object.no
        WHERE ({condition}) AND (object.state = 0 OR ?) AND embedding.model = ?
        ORDER BY vec_distance_l2(embedding.vector, ?) LIMIT ?"""
    values = (*bounds, wanted.every_state, MODEL, vector, wanted.limit)
    return [lookup.found(row) for row in metadata_db.rows(connection, query, values)]


def results(store: Store, page: Sequence[Found], match: str | None) -> list[Result]:
    """Titles and snippets of found objects. Raises Failure(STORE_DAMAGED) where an object cannot be read."""
    passing = apsw.Connection(":memory:")
    passing.execute('CREATE VIRTUAL TABLE shown USING fts5(title, body, tokenize="unicode61 remove_diacritics 2")')
    titles = []
    for number, found in enumerate(page):
        envelope = object_files.read(store, found.name)
        title, body = schema.searched(envelope.parsed(), schema.rules_from(envelope.rules))
        titles.append(title)
        passing.execute("INSERT INTO shown (rowid, title, body) VALUES (?, ?, ?)", (number, title, body))
    query = f"SELECT rowid, snippet(shown, -1, '{OPEN}', '{CLOSE}', '…', {_SNIPPET_WORDS}) FROM shown"  # noqa: S608
    matching = (f"{query} WHERE shown MATCH ?", (match,)) if match is not None else (query, ())
    snippets = dict(metadata_db.rows(passing, *matching))
    return [Result(found, titles[number], snippets.get(number, "")) for number, found in enumerate(page)]


_QUERY = (
    f"SELECT {lookup.COLUMNS} FROM fulltext JOIN object ON object.no = fulltext.rowid {lookup.JOINS} "  # noqa: S608
    "WHERE fulltext MATCH ? AND ({}) AND (object.state = 0 OR ?) {}"
)


def _by_row(connection: apsw.Connection, wanted: Wanted, first: int, last: int) -> Iterator[Found]:
    query = _QUERY.format("fulltext.rowid BETWEEN ? AND ?", "ORDER BY fulltext.rowid DESC LIMIT ?")
    values = (wanted.match, first, last, wanted.every_state, wanted.limit)
    yield from map(lookup.found, metadata_db.rows(connection, query, values))


def _anywhere(column: str, spans: Sequence[tuple[int, int]]) -> tuple[str, list[int]]:
    """A condition that a row lies in one of some spans, and its values."""
    return " OR ".join(f"{column} BETWEEN ? AND ?" for _ in spans) or "0", [bound for span in spans for bound in span]


def _spans(connection: apsw.Connection, wanted: Wanted) -> list[tuple[int, int]]:
    kinds = dict(metadata_db.rows(connection, "SELECT name, no FROM type"))
    for kind in wanted.kinds:
        if kind not in kinds:
            raise lookup.unknown_type(kinds)
    return [layout.row_range(kinds[kind], wanted.since, wanted.until) for kind in wanted.kinds or sorted(kinds)]
