"""How long it takes to find something in a store, in a process that has it open."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import apsw

from benchmarks.tables import seconds
from lorchestra.components.projector.database import lookup
from lorchestra.components.projector.objects import object_files
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import search
from lorchestra.components.projector.query.search import Wanted
from lorchestra.components.projector.upkeep import connect

_TURNS = 30


def measure(root: Path) -> list[tuple[str, str, str, str]]:
    """One row a question: what, how many match, the median, the slowest."""
    store = Store(root)
    with connect.for_reading(store) as (_, connection):
        words = _words(connection)
        ids = [each.hex() for (each,) in connection.execute("SELECT id FROM object ORDER BY id LIMIT ?", (_TURNS,))]
        turn = itertools.cycle(ids)

        def get() -> object:
            return object_files.read(store, lookup.chosen(lookup.revisions(connection, next(turn)), None).name)

        rows = [_row("`get`", "1", get)]
        for name, word in words.items():
            wanted = Wanted(word)
            plans = search.plans(connection, wanted)
            count = f"{search.count(connection, plans, wanted):,}"
            rows.append(_row(f"`search`, {name}", count, _newest(store, connection, wanted)))
            rows.append(_row(f"`search --rank`, {name}", count, partial(search.ranked, connection, plans, wanted, 2)))
    return rows


def _newest(store: Store, connection: apsw.Connection, wanted: Wanted) -> Callable[[], object]:
    def ask() -> object:
        plans = search.plans(connection, wanted)
        return search.results(store, connection, search.by_time(connection, plans, wanted), plans)

    return ask


def _words(connection: apsw.Connection) -> dict[str, str]:
    """Words of different frequency."""
    connection.pragma("query_only", "off")
    connection.execute("CREATE VIRTUAL TABLE temp.term USING fts5vocab(main, fulltext, row)")
    found = [word for (word,) in connection.execute("SELECT term FROM temp.term ORDER BY doc DESC LIMIT 20000")]
    return {"a rare word": found[-1], "a common word": found[5], "two common words": f"{found[3]} {found[8]}"}


def _row(name: str, count: str, ask: Callable[[], object]) -> tuple[str, str, str, str]:
    took = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    return name, count, seconds(statistics.median(took)), seconds(max(took))
