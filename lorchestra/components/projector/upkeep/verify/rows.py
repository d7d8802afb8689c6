"""The database on its own: its pages, its definitions, and rows that must agree with each other."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import orjson

from lorchestra.components.projector.database import metadata_db, migrations, seals
from lorchestra.components.projector.record import schema
from lorchestra.components.projector.upkeep.verify.finding import Finding
from lorchestra.records import names

_CHECKS = {
    "stray_holding": """SELECT count(*) FROM holding
        WHERE object NOT IN (SELECT no FROM object) OR file NOT IN (SELECT no FROM file)""",
    "stray_words": "SELECT count(*) FROM fulltext_docsize WHERE id NOT IN (SELECT no FROM object WHERE indexed)",
    "missing_words": "SELECT count(*) FROM object WHERE indexed AND no NOT IN (SELECT id FROM fulltext_docsize)",
    "stray_embedding": "SELECT count(*) FROM embedding WHERE object NOT IN (SELECT no FROM object)",
    "purged_object": "SELECT count(*) FROM object WHERE id IN (SELECT id FROM tombstone)",
    "several_current": "SELECT count(*) FROM (SELECT 1 FROM object WHERE state <> 1 GROUP BY id HAVING count(*) <> 1)",
    "none_current": "SELECT count(*) FROM (SELECT 1 FROM object GROUP BY id HAVING min(state = 1))",
    "current_but_not_held": "SELECT count(*) FROM object WHERE state = 0 AND no NOT IN (SELECT object FROM holding)",
    "retired_but_held": """SELECT count(*) FROM object WHERE state = 2 AND EXISTS (SELECT 1 FROM holding
        JOIN object AS other ON other.no = holding.object WHERE other.id = object.id)""",
    "row_out_of_sequence": """SELECT count(*) FROM object
        WHERE no & 4294967295 > (SELECT coalesce(max(value), 0) FROM meta WHERE key = 'sequence')""",
    "tally_differs": """SELECT count(*) FROM (
        SELECT reading, state, count(*) AS objects, sum(bytes) AS bytes FROM object GROUP BY 1, 2) AS counted
        FULL JOIN tally USING (reading, state)
        WHERE coalesce(counted.objects, 0) <> coalesce(tally.objects, 0)
           OR coalesce(counted.bytes, 0) <> coalesce(tally.bytes, 0)""",
}


def pages(connection: apsw.Connection) -> Iterator[Finding]:
    """What SQLite finds wrong with its own pages."""
    for (message,) in metadata_db.rows(connection, "PRAGMA integrity_check(100)"):
        if message != "ok":
            yield Finding("database_page", "metadata.db")


def definitions(connection: apsw.Connection) -> Iterator[Finding]:
    """Tables, triggers, indexes and views that do not belong into the database, or are missing or altered."""
    query = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    fresh = apsw.Connection(":memory:")
    migrations.apply(fresh)
    expected = {(kind, name): sql for kind, name, sql in metadata_db.rows(fresh, query)}
    fields = {f"fields_{no}" for (no,) in metadata_db.rows(connection, "SELECT no FROM type")}
    found = {(kind, name): sql for kind, name, sql in metadata_db.rows(connection, query)}
    for key in sorted(found.keys() | expected.keys()):
        kind, name = key
        if key not in expected and not (kind == "table" and name in fields):
            yield Finding("foreign_definition", f"metadata.db: a {kind} of its own")
        elif key in expected and found.get(key) != expected[key]:
            yield Finding("definition_differs", f"metadata.db: {kind} {name}")
    for name in sorted(fields - {name for _, name in found}):
        yield Finding("definition_differs", f"metadata.db: table {name}")


def of_files(connection: apsw.Connection) -> Iterator[Finding]:
    """The rows of canonical files, by their seals, and what each file holds, by the sum in its row."""
    for no, name, holdings, seal in metadata_db.rows(connection, "SELECT no, name, holdings, seal FROM file"):
        where = f"the row of {name}" if names.parse_delivery(str(name)) else "the row of a file"
        if seal is not None and seals.row(connection, no) != seal:
            yield Finding("file_differs", where)
        elif holdings is not None and seals.held(connection, no) != holdings:
            yield Finding("holdings_differ", where)


def of_objects(connection: apsw.Connection) -> Iterator[Finding]:
    """Rows that belong to no object, that are missing, or that contradict each other."""
    checks = dict(_CHECKS)
    for (no,) in metadata_db.rows(connection, "SELECT no FROM type"):
        checks[f"stray_columns fields_{no}"] = (
            f"SELECT count(*) FROM fields_{no} WHERE object NOT IN (SELECT no FROM object)"  # noqa: S608
        )
    for fault, query in checks.items():
        if count := metadata_db.value(connection, query):
            yield Finding(fault, f"{count} rows")
    yield from _fields(connection)


def _fields(connection: apsw.Connection) -> Iterator[Finding]:
    """Properties: each schema's own are there, and are read from the objects if one of the schemas says so."""
    lazy: dict[tuple[int, str], bool] = {}
    for kind, rules, properties in metadata_db.rows(connection, "SELECT type, rules, properties FROM reading"):
        try:
            known = schema.rules_from(orjson.loads(rules))
            for name in orjson.loads(properties):
                lazy[kind, name] = lazy.get((kind, name), False) or schema.is_lazy(name, known)
        except (orjson.JSONDecodeError, AttributeError, TypeError):
            yield Finding("reading_damaged", "the rules of a schema")
            return
    found = {
        (kind, name): bool(flag) for kind, name, flag in connection.execute("SELECT type, property, lazy FROM field")
    }
    if found != lazy:
        yield Finding("field_differs", "the properties of a type")
