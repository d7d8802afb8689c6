"""Search: a query to objects, newest first, oldest first or by relevance; and results with a snippet.

The database keeps the words, not the texts, so a snippet is cut by a second, temporary full-text index in memory over
the few objects that are shown.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any, NamedTuple

import apsw

from lorchestra.components.projector.database import fulltext, lookup, metadata_db
from lorchestra.components.projector.database.lookup import Found
from lorchestra.components.projector.objects import layout, object_files
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import language, plan
from lorchestra.components.projector.query.embedding import MODEL
from lorchestra.components.projector.query.plan import Plan
from lorchestra.components.projector.record import schema
from lorchestra.components.projector.record import words as words_of

OPEN, CLOSE = "\ue000", "\ue001"  # private-use marks around a matched word
_STEPS = 1000
_SNIPPET_WORDS = 14
_SNIPPET_LETTERS = 90
_WEIGHTS = "4.0" + ", 1.0" * (len(fulltext.COLUMNS) - 1)
"""BM25 weights: a word in the title counts four times as much."""


class Wanted(NamedTuple):
    """What is searched for: a query as docs/search.md describes it, or FTS5 syntax if `raw`; days are inclusive."""

    query: str
    raw: bool = False
    kinds: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    limit: int = 20
    """-1 for all."""
    offset: int = 0
    every_state: bool = False


class Result(NamedTuple):
    """A found object; matched words of the snippet stand between OPEN and CLOSE."""

    found: Found
    title: str
    snippet: str


class Thread(NamedTuple):
    """The newest match of a thread, and how many there are."""

    newest: Found
    matches: int


def plans(connection: apsw.Connection, wanted: Wanted) -> list[Plan]:
    """The plan of a search for each type that can match. Raises Failure(USAGE)."""
    connection.create_scalar_function("has_field", plan.has_field, 3, deterministic=True)
    every = plan.kinds(connection)
    for kind in wanted.kinds:
        if kind not in {each.name for each in every}:
            raise lookup.unknown_type([each.name for each in every])
    chosen = [kind for kind in every if not wanted.kinds or kind.name in wanted.kinds]
    if wanted.raw:
        ranges = ((kind, layout.row_range(kind.no, wanted.since, wanted.until)) for kind in chosen)
        return [Plan(kind, wanted.query, "1", (), *bounds) for kind, bounds in ranges]
    made = plan.plans(every, language.parse(wanted.query), wanted.since, wanted.until)
    return [each for each in made if each.kind in chosen]


def by_time(connection: apsw.Connection, made: Sequence[Plan], wanted: Wanted, *, oldest: bool = False) -> list[Found]:
    """The newest matches: by day, within a day by their time. Takes a few milliseconds at a million objects."""
    page = islice(_merged(connection, made, wanted, oldest), wanted.offset, _end(wanted))
    return sorted(page, key=lambda found: (layout.row_day(found.no), found.time or 0), reverse=not oldest)


def ranked(connection: apsw.Connection, made: Sequence[Plan], wanted: Wanted, seconds: float) -> list[Found] | None:
    """The best matches by BM25, None if ranking took longer than this: common words have many matches."""
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        scored: list[tuple[float, Found]] = []
        for each in made:
            score = f"bm25(fulltext, {_WEIGHTS})" if each.match else "0"
            query, values = _query(each, wanted, f"{lookup.COLUMNS}, {score} AS score", "ORDER BY score LIMIT ?")
            rows = metadata_db.rows(connection, query, (*values, _end(wanted) or -1))
            scored += [(row[-1], lookup.found(row[:-1])) for row in rows]
        scored.sort(key=lambda pair: pair[0])
        return [found for _, found in scored[wanted.offset : _end(wanted)]]
    except apsw.InterruptError:
        return None
    finally:
        connection.set_progress_handler(None)


def count(connection: apsw.Connection, made: Sequence[Plan], wanted: Wanted) -> int:
    """How many objects match."""
    queries = (_query(each, wanted, "count(*)", "") for each in made)
    return sum(int(metadata_db.value(connection, query, values)) for query, values in queries)


def threads(connection: apsw.Connection, made: Sequence[Plan], wanted: Wanted) -> list[Thread]:
    """The threads of all matches, by their newest match. An object without a thread is one of its own."""
    columns = {each.kind.no: each.kind.columns.get("thread", ()) for each in made}
    found: dict[tuple[int, Any], Thread] = {}
    for match in _merged(connection, made, wanted, oldest=False):
        kind = layout.row_type(match.no)
        key = (kind, _thread(connection, kind, columns[kind], match.no) or match.no)
        before = found.get(key)
        found[key] = before._replace(matches=before.matches + 1) if before else Thread(match, 1)
    return list(found.values())[wanted.offset : _end(wanted)]


def nearest(connection: apsw.Connection, wanted: Wanted, vector: bytes) -> list[Found]:
    """The objects whose vectors are nearest to one (384 float32): every vector of the types and days is compared."""
    everything = plans(connection, wanted._replace(raw=True))
    condition = " OR ".join("object.no BETWEEN ? AND ?" for _ in everything) or "0"
    query = f"""{lookup.SELECT} JOIN embedding ON embedding.object = object.no
        WHERE ({condition}) AND (object.state = 0 OR ?) AND embedding.model = ?
        ORDER BY vec_distance_l2(embedding.vector, ?) LIMIT ? OFFSET ?"""
    bounds = [bound for each in everything for bound in (each.first, each.last)]
    values = (*bounds, wanted.every_state, MODEL, vector, wanted.limit, wanted.offset)
    return [lookup.found(row) for row in metadata_db.rows(connection, query, values)]


def results(store: Store, connection: apsw.Connection, page: Sequence[Found], made: Sequence[Plan]) -> list[Result]:
    """Titles and snippets of found objects. Raises Failure(STORE_DAMAGED) if an object cannot be read."""
    shown = apsw.Connection(":memory:")
    names = ", ".join(fulltext.COLUMNS)
    shown.execute(f'CREATE VIRTUAL TABLE shown USING fts5({names}, tokenize="unicode61 remove_diacritics 2")')
    matches = {each.kind.no: each.match for each in made}
    return [_result(store, connection, shown, found, matches.get(layout.row_type(found.no), "")) for found in page]


def _result(store: Store, connection: apsw.Connection, shown: apsw.Connection, found: Found, match: str) -> Result:
    record = object_files.read(store, found.name).parsed()
    rules = fulltext.rules(connection, found.no)
    texts = schema.searched(record, rules)
    title = record.get(rules.title) if rules.title else None
    named = {rules.title, *(each for _, properties in rules.fields for each in properties)}
    body = " ".join(str(record[name]) for name in rules.text if name in record and name not in named)
    row = fulltext.Columns(connection, layout.row_type(found.no)).row(texts)
    snippet = _snippet(shown, row, match) if match else ""
    if not snippet or words_of.is_cjk(snippet):  # which would be shown as pairs
        snippet = body[:_SNIPPET_LETTERS]
    return Result(found, title if isinstance(title, str) else "", snippet)


def _snippet(shown: apsw.Connection, row: Sequence[str], match: str) -> str:
    shown.execute("DELETE FROM shown")
    values = ", ".join("?" * len(row))
    shown.execute(f"INSERT INTO shown VALUES ({values})", tuple(row))  # noqa: S608 - question marks
    query = f"SELECT snippet(shown, -1, '{OPEN}', '{CLOSE}', '…', {_SNIPPET_WORDS}) FROM shown WHERE shown MATCH ?"  # noqa: S608
    return str(metadata_db.value(shown, query, (match,), ""))


def _merged(connection: apsw.Connection, made: Sequence[Plan], wanted: Wanted, oldest: bool) -> Iterator[Found]:
    """All matches by day. A row's number begins with type and day, so that no type has to be sorted."""
    order = "ORDER BY no" if oldest else "ORDER BY no DESC"
    streams = []
    for each in made:
        query, values = _query(each, wanted, lookup.COLUMNS, order)
        streams.append(_stream(connection, query, values))
    return heapq.merge(*streams, key=lambda found: layout.row_day(found.no), reverse=not oldest)


def _stream(connection: apsw.Connection, query: str, values: Sequence[Any]) -> Iterator[Found]:
    return map(lookup.found, connection.execute(query, tuple(values)))


def _query(each: Plan, wanted: Wanted, columns: str, rest: str) -> tuple[str, tuple[Any, ...]]:
    """The SQL of a plan: columns, and what follows the conditions, are filled in."""
    row = "fulltext.rowid" if each.match else "object.no"
    source = "fulltext JOIN object ON object.no = fulltext.rowid" if each.match else "object"
    fields = f"JOIN fields_{each.kind.no} AS fields ON fields.object = object.no" if "fields." in each.condition else ""
    query = f"""SELECT {columns} FROM {source} {lookup.JOINS} {fields}
        WHERE {"fulltext MATCH ? AND" if each.match else ""} {row} BETWEEN ? AND ? AND (object.state = 0 OR ?)
        AND ({each.condition}) {rest.replace("ORDER BY no", f"ORDER BY {row}")}"""  # noqa: S608 - built by `plan`
    match = (each.match,) if each.match else ()
    return query, (*match, each.first, each.last, wanted.every_state, *each.values)


def _thread(connection: apsw.Connection, kind: int, columns: Sequence[int], no: int) -> Any:
    if not columns:
        return None
    return metadata_db.value(connection, f"SELECT c{columns[0]} FROM fields_{kind} WHERE object = ?", (no,))  # noqa: S608


def _end(wanted: Wanted) -> int | None:
    return None if wanted.limit < 0 else wanted.offset + wanted.limit
