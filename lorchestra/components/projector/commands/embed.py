"""`vector-projector embed`: find out what objects mean, for `search --semantic`."""

from __future__ import annotations

import argparse
import sys

import apsw

from lorchestra.components.projector import config
from lorchestra.components.projector.database import fulltext, lookup, metadata_db
from lorchestra.components.projector.database.lookup import Found
from lorchestra.components.projector.objects import object_files
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import output
from lorchestra.components.projector.query.embedding import MODEL, Embedder
from lorchestra.components.projector.record import schema
from lorchestra.components.projector.upkeep import connect

_BATCH = 50


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--limit", type=output.count, default=-1, metavar="N", help="embed at most N objects in this run"
    )


def run(options: argparse.Namespace) -> int:
    """Embed what has no vector yet, newest first; between batches others may write. Can be stopped at any time."""
    store, embedder = Store(config.resolve(options).store), Embedder()
    done = 0
    while done != options.limit:
        with connect.for_reading(store) as opened:
            batch = _pending(opened.connection, min(_BATCH, options.limit - done) if options.limit > 0 else _BATCH)
            vectors = [(found, embedder.embed(_text(opened, found))) for found in batch]
        if not batch:
            break
        with connect.for_writing(store, wait=True) as opened:
            _save(opened.connection, vectors)
        done += len(batch)
        sys.stderr.write(f"\rvector-projector: {done} objects" if sys.stderr.isatty() else "")
    sys.stderr.write(f"{chr(13) if sys.stderr.isatty() else ''}vector-projector: {done} objects embedded\n")
    return 0


def _pending(connection: apsw.Connection, limit: int) -> list[Found]:
    query = f"""{lookup.SELECT} LEFT JOIN embedding ON embedding.object = object.no AND embedding.model = ?
        WHERE object.state = 0 AND object.indexed AND embedding.object IS NULL ORDER BY object.no DESC LIMIT ?"""
    return [lookup.found(row) for row in metadata_db.rows(connection, query, (MODEL, limit))]


def _text(opened: connect.Opened, found: Found) -> str:
    record = object_files.read(opened.store, found.name).parsed()
    texts = schema.searched(record, fulltext.rules(opened.connection, found.no))
    return "\n".join(texts.get(name, "") for name in ("title", "body"))


def _save(connection: apsw.Connection, vectors: list[tuple[Found, bytes]]) -> None:
    """Keep the vectors of objects that are still there: one may have been purged meanwhile."""
    insert = "INSERT OR REPLACE INTO embedding SELECT no, ?, ? FROM object WHERE no = ? AND id = ?"
    with connection:
        connection.executemany(insert, [(MODEL, vector, found.no, found.name.id) for found, vector in vectors])
