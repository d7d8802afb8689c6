"""`vector-projector search`: find objects by words, fields and dates. docs/search.md describes the query language."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import apsw

from lorchestra.base import program
from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector import config
from lorchestra.components.projector.database.lookup import Found
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import output, search
from lorchestra.components.projector.query.plan import Plan
from lorchestra.components.projector.upkeep import connect
from lorchestra.components.projector.upkeep.connect import Opened
from lorchestra.storage import audit

_COLUMNS = ("id", "type", "time", "title", "snippet")
_THREAD_COLUMNS = ("id", "type", "time", "title", "matches")
_SORTS = ("newest", "oldest", "relevance")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "words",
        nargs="+",
        metavar="QUERY",
        help='words, "phrases", prefix*, field:word, OR, NOT, ( ), date:2025-01..; `-` reads stdin',
    )
    parser.add_argument("--type", action="append", default=[], metavar="TYPE", help="only this type; may be repeated")
    parser.add_argument("--from", "--since", dest="since", type=output.day, metavar="DATE", help="from this day on")
    parser.add_argument("--to", "--until", dest="until", type=output.day, metavar="DATE", help="to this day, inclusive")
    parser.add_argument(
        "--limit", type=output.count, default=20, metavar="N", help="number of results, or all (default: 20)"
    )
    skipped = parser.add_mutually_exclusive_group()
    skipped.add_argument("--offset", type=output.offset, default=0, metavar="N", help="skip the first N results")
    skipped.add_argument("--page", type=output.count, default=1, metavar="N", help="page N, of --limit results each")
    parser.add_argument("--sort", choices=_SORTS, default="newest", help="order of the results (default: newest)")
    parser.add_argument(
        "--rank", dest="sort", action="store_const", const="relevance", help="short for --sort relevance"
    )
    parser.add_argument(
        "--seconds", type=output.positive, default=2, metavar="N", help="time limit for --sort relevance (default: 2)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--count", action="store_true", help="print only the number of results")
    what.add_argument("--threads", action="store_true", help="one row per thread: its newest match, number of matches")
    what.add_argument("--semantic", action="store_true", help="search by meaning, nearest first (needs `embed`)")
    parser.add_argument("--raw", action="store_true", help="QUERY is SQLite FTS5 syntax; columns: title, body")
    parser.add_argument("--all", action="store_true", help="include former revisions and retired objects")
    output.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print what is found."""
    words = sys.stdin.read() if options.words == ["-"] else " ".join(options.words)
    if options.page > 1 and options.limit < 0:
        raise Failure(Code.USAGE, "--page needs a --limit that is not `all`")
    offset = options.offset or (options.page - 1) * options.limit if options.page > 1 else options.offset
    wanted = search.Wanted(
        words, options.raw, tuple(options.type), options.since, options.until, options.limit, offset, options.all
    )
    with connect.for_reading(Store(config.resolve(options).store)) as opened:
        audit.record_read(opened.store.root, "vector-projector search", words)
        try:
            return _print(opened, wanted, options)
        except apsw.SQLError:
            advice = "Leave out --raw, or quote the words." if options.raw else "Shorten the query."
            raise Failure(Code.USAGE, "the full text does not accept this query", advice=advice) from None


def _print(opened: Opened, wanted: search.Wanted, options: argparse.Namespace) -> int:
    if options.semantic:
        results = _by_meaning(opened, wanted)
    else:
        made = search.plans(opened.connection, wanted)
        if options.count:
            output.write(sys.stdout, ("count",), [(search.count(opened.connection, made, wanted),)], options.format)
            return 0
        if options.threads:
            return _print_threads(opened, made, wanted, options.format)
        page = _page(opened, made, wanted, options)
        results = search.results(opened.store, opened.connection, page, made)
    output.write(sys.stdout, _COLUMNS, [_row(result, options.format) for result in results], options.format)
    return _said_if_empty(results)


def _print_threads(opened: Opened, made: list[Plan], wanted: search.Wanted, form: str) -> int:
    threads = search.threads(opened.connection, made, wanted)
    results = search.results(opened.store, opened.connection, [thread.newest for thread in threads], made)
    rows = [(*_row(result, form)[:-1], thread.matches) for result, thread in zip(results, threads, strict=True)]
    output.write(sys.stdout, _THREAD_COLUMNS, rows, form)
    return _said_if_empty(rows)


def _said_if_empty(rows: Sequence[object]) -> int:
    if not rows:
        sys.stderr.write("vector-projector: nothing found\n")
    return 0


def _by_meaning(opened: Opened, wanted: search.Wanted) -> list[search.Result]:
    from lorchestra.components.projector.query import embedding  # only here: most searches need no model

    embedding.load_distance(opened.connection)
    vector = embedding.Embedder().embed(wanted.query)
    return search.results(opened.store, opened.connection, search.nearest(opened.connection, wanted, vector), [])


def _page(opened: Opened, made: list[Plan], wanted: search.Wanted, options: argparse.Namespace) -> list[Found]:
    if options.sort == "relevance":
        page = search.ranked(opened.connection, made, wanted, options.seconds)
        if page is not None:
            return page
        program.tell(
            "vector-projector",
            f"ranking took more than {options.seconds:g} seconds: newest first",
            "Narrow the search.",
        )
    return search.by_time(opened.connection, made, wanted, oldest=options.sort == "oldest")


def _row(result: search.Result, form: str) -> tuple[str, ...]:
    identity = result.found.name.id.hex().upper()
    snippet = " ".join(result.snippet.split()).replace(search.OPEN, "[").replace(search.CLOSE, "]")
    return (
        identity[:12] if form == "table" else identity,
        result.found.name.type,
        output.moment(result.found.time),
        result.title,
        snippet,
    )
