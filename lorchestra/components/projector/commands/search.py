"""`vector-projector search`: find objects by the words in them."""

from __future__ import annotations

import argparse
import sys

import apsw

from lorchestra.base import program
from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector import config
from lorchestra.components.projector.database.lookup import Found
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import embedding, output, search
from lorchestra.components.projector.upkeep import connect
from lorchestra.components.projector.upkeep.connect import Opened
from lorchestra.storage import audit

_COLUMNS = ("id", "type", "time", "title", "snippet")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "words", nargs="+", metavar="WORDS", help='words, "phrases", prefix*; in quotes also -excluded; `-` reads stdin'
    )
    parser.add_argument("--type", action="append", default=[], metavar="TYPE", help="only this type; may be repeated")
    parser.add_argument("--from", "--since", dest="since", type=output.day, metavar="DATE", help="from this day on")
    parser.add_argument("--to", "--until", dest="until", type=output.day, metavar="DATE", help="to this day, inclusive")
    parser.add_argument("--limit", type=output.count, default=20, metavar="N", help="number of results (default: 20)")
    parser.add_argument("--rank", action="store_true", help="sort by relevance instead of newest first")
    parser.add_argument(
        "--seconds", type=output.positive, default=2, metavar="N", help="time limit for --rank (default: 2)"
    )
    parser.add_argument("--semantic", action="store_true", help="search by meaning, nearest first (needs `embed`)")
    parser.add_argument("--raw", action="store_true", help="WORDS are SQLite FTS5 syntax; columns: title, body")
    parser.add_argument("--all", action="store_true", help="include former revisions and retired objects")
    output.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print what is found."""
    words = sys.stdin.read() if options.words == ["-"] else " ".join(options.words)
    match = words if options.raw or options.semantic else search.match(words)
    wanted = search.Wanted(match, tuple(options.type), options.since, options.until, options.limit, options.all)
    with connect.for_reading(Store(config.resolve(options).store)) as opened:
        audit.record_read(opened.store.root, "vector-projector search", words)
        if options.semantic:
            results = _by_meaning(opened, wanted)
        else:
            results = _search(opened, wanted, options.seconds if options.rank else None)
    rows = [_row(result, options.format) for result in results]
    output.write(sys.stdout, _COLUMNS, rows, options.format)
    if not rows:
        sys.stderr.write("vector-projector: nothing found\n")
    return 0


def _by_meaning(opened: Opened, wanted: search.Wanted) -> list[search.Result]:
    embedding.load_distance(opened.connection)
    vector = embedding.Embedder().embed(wanted.match)
    return search.results(opened.store, search.nearest(opened.connection, wanted, vector), None)


def _search(opened: Opened, wanted: search.Wanted, seconds: float | None) -> list[search.Result]:
    try:
        return search.results(opened.store, _page(opened, wanted, seconds), wanted.match)
    except apsw.SQLError:
        pass
    raise Failure(Code.USAGE, "these words are not FTS5 syntax", advice="Leave out --raw, or quote the words.")


def _page(opened: Opened, wanted: search.Wanted, seconds: float | None) -> list[Found]:
    if seconds is not None:
        page = search.ranked(opened.connection, wanted, seconds)
        if page is not None:
            return page
        program.tell(
            "vector-projector", f"ranking took more than {seconds:g} seconds: newest first", "Narrow the search."
        )
    return search.newest(opened.connection, wanted)


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
