"""Kinds of damage to a store: what is done, and the finding by which `verify` must report it.

A cause returns False where the store has nothing that it could damage. The kinds do not depend on the type of the
records, so that the random histories can use them too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from tests.components.projector.harness import Bench


class Damage(NamedTuple):
    """`finding` is empty where the store cannot even be opened: `verify` must then name `repair`."""

    finding: str
    cause: Callable[[Bench], Any]


def first(bench: Bench) -> Path:
    return bench.objects()[0]


def sql(bench: Bench, statement: str) -> bool:
    """Change the database; whether any row or definition changed."""
    with closing(apsw.Connection(str(bench.store / "metadata.db"))) as connection:
        before = connection.total_changes(), connection.pragma("schema_version")
        try:
            connection.execute(statement)
        except apsw.ConstraintError:  # as for two schemas that would become equal
            return False
        return before != (connection.total_changes(), connection.pragma("schema_version"))


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def flip_at(path: Path, part: bytes) -> None:
    """Change the byte after a part of a file."""
    flip(path, path.read_bytes().index(part) + len(part))


def append(path: Path, content: bytes) -> None:
    path.write_bytes(path.read_bytes() + content)


def reseal(path: Path, old: bytes, new: bytes) -> bool:
    """Change an object and seal it again, as a program could that knows the format."""
    sealed = path.read_bytes().rpartition(b',"sha256":')[0]
    changed = sealed.replace(old, new, 1)
    path.write_bytes(changed + b',"sha256":"' + hashlib.sha256(changed).hexdigest().encode() + b'"}\n')
    return changed != sealed


def swap(bench: Bench) -> bool:
    """Exchange the files of two objects."""
    if len(bench.objects()) < 2:
        return False
    one, other = bench.objects()[:2]
    aside = bench.root / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    return True


def another(bench: Bench) -> bool:
    """Copy an object over another one."""
    if len(bench.objects()) < 2:
        return False
    shutil.copyfile(bench.objects()[1], first(bench))
    return True


def replace_by_link(path: Path) -> None:
    away = path.parents[3].with_name("away")
    shutil.rmtree(away, ignore_errors=True)
    path.rename(away)
    path.symlink_to(away)


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def registry(bench: Bench, **changes: Any) -> bool:
    path = a_registry(bench)
    before = path.read_bytes()
    path.write_text(json.dumps({**json.loads(before), **changes}))
    return bool(json.loads(before) != json.loads(path.read_bytes()))


def a_registry(bench: Bench) -> Path:
    return sorted((bench.store / "registry").glob("*.json"))[-1]


def rejects(bench: Bench, change: Callable[[Path], object]) -> bool:
    """Damage a rejects file."""
    paths = sorted((bench.store / "rejects").glob("*.jsonl"))
    if paths:
        change(paths[0])
    return bool(paths)


def a_tombstone(bench: Bench, change: Callable[[Path], object]) -> bool:
    paths = sorted((bench.store / "objects").rglob("*.purged"))
    if paths:
        change(paths[0])
    return bool(paths)


def create(path: Path, content: str = "x", mode: int = 0o600) -> None:
    path.parent.mkdir(0o700, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)


def copy_private(source: Path, target: Path) -> None:
    create(target)
    shutil.copyfile(source, target)


def page(bench: Bench) -> None:
    """Overwrite every page after the first four."""
    path = bench.store / "metadata.db"
    content = path.read_bytes()
    path.write_bytes(content[: 4 * 4096] + b"\xa5" * (len(content) - 4 * 4096))


def truncate(bench: Bench) -> None:
    os.truncate(bench.store / "metadata.db", 5 * 4096)


ONE = "(SELECT min(no) FROM object)"
CURRENT = "(SELECT no FROM object WHERE state = 0 LIMIT 1)"
UNKNOWN = "zeroblob(16)"

DAMAGE: dict[str, Damage] = {
    # object files
    "a byte of the format": Damage("broken_seal", lambda b: flip(first(b), 3)),
    "a byte of the id": Damage("broken_seal", lambda b: flip_at(first(b), b'"id":"')),
    "a byte of the rules": Damage("broken_seal", lambda b: flip_at(first(b), b'"rules":{"')),
    "a byte of the fingerprint": Damage("broken_seal", lambda b: flip_at(first(b), b'"fingerprint":"')),
    "a byte of the record": Damage("broken_seal", lambda b: flip_at(first(b), b'"record":{"')),
    "a byte of the seal": Damage("broken_seal", lambda b: flip_at(first(b), b'"sha256":"')),
    "the last byte": Damage("broken_seal", lambda b: flip(first(b), -1)),
    "a byte too many": Damage("broken_seal", lambda b: append(first(b), b" ")),
    "a byte too few": Damage("broken_seal", lambda b: os.truncate(first(b), first(b).stat().st_size - 1)),
    "an empty object": Damage("broken_seal", lambda b: first(b).write_bytes(b"")),
    "an object of zeros": Damage("broken_seal", lambda b: first(b).write_bytes(bytes(first(b).stat().st_size))),
    "a missing object": Damage("missing_object", lambda b: first(b).unlink()),
    "a missing directory of objects": Damage("missing_object", lambda b: shutil.rmtree(first(b).parent)),
    "an object in another's place": Damage("misplaced_object", another),
    "two objects that were exchanged": Damage("misplaced_object", swap),
    "a record that was changed and sealed again": Damage(
        "row_differs", lambda b: reseal(first(b), b'"record":{"', b'"record":{"x":1,"')
    ),
    "a line that was changed and sealed again": Damage(
        "row_differs", lambda b: reseal(first(b), b'"line":', b'"line":1')
    ),
    "rules that were changed and sealed again": Damage(
        "row_differs", lambda b: reseal(first(b), b'"rules":{', b'"rules":{"zzz":"zzz",')
    ),
    "an object that is a link": Damage("link", lambda b: replace_by_link(first(b))),
    "an object that is a directory": Damage("missing_object", lambda b: replace_by_directory(first(b))),
    "an object that is a pipe": Damage("special_file", lambda b: replace_by_pipe(first(b))),
    "an object with a second name": Damage("hard_link", lambda b: os.link(first(b), b.root / os.urandom(8).hex())),
    "an object that others can read": Damage("not_private", lambda b: first(b).chmod(0o604)),
    "an object that the group can read": Damage("not_private", lambda b: first(b).chmod(0o640)),
    "an object that others can write": Damage("not_private", lambda b: first(b).chmod(0o602)),
    "a revision that no row knows": Damage(
        "foreign_file", lambda b: copy_private(first(b), first(b).with_name(first(b).name.split(".")[0] + ".r99.json"))
    ),
    # other files and directories
    "a file in the store": Damage("foreign_file", lambda b: create(b.store / "notes")),
    "a file in objects": Damage("foreign_file", lambda b: create(b.store / "objects" / "notes")),
    "a file next to an object": Damage("foreign_file", lambda b: create(first(b).with_name("notes.json"))),
    "a hidden file next to an object": Damage("foreign_file", lambda b: create(first(b).with_name(".notes"))),
    "a copy of the database": Damage(
        "foreign_file", lambda b: copy_private(b.store / "metadata.db", b.store / "old.db")
    ),
    "a directory in the store": Damage("foreign_directory", lambda b: (b.store / "notes").mkdir(0o700)),
    "a directory in objects": Damage("foreign_directory", lambda b: (b.store / "objects" / "zz").mkdir(0o700)),
    "a directory next to an object": Damage("foreign_directory", lambda b: first(b).with_name("more").mkdir(0o700)),
    "a directory in registry": Damage("foreign_directory", lambda b: (b.store / "registry" / "old").mkdir(0o700)),
    "a directory in rejects": Damage("foreign_directory", lambda b: (b.store / "rejects" / "old").mkdir(0o700)),
    "a link": Damage("link", lambda b: first(b).with_name("link").symlink_to("/etc/passwd")),
    "a link that leads nowhere": Damage("link", lambda b: (b.store / "registry" / "gone").symlink_to("nowhere")),
    "a directory that is a link": Damage("link", lambda b: replace_by_link(first(b).parent)),
    "a pipe": Damage("special_file", lambda b: os.mkfifo(b.store / "pipe", 0o600)),
    "a directory of objects that others can enter": Damage("not_private", lambda b: first(b).parent.chmod(0o755)),
    "objects that the group can list": Damage("not_private", lambda b: (b.store / "objects").chmod(0o740)),
    "a registry directory that others can enter": Damage("not_private", lambda b: (b.store / "registry").chmod(0o711)),
    "a rejects directory that others can enter": Damage("not_private", lambda b: (b.store / "rejects").chmod(0o755)),
    "a database that others can read": Damage("not_private", lambda b: (b.store / "metadata.db").chmod(0o644)),
    "a registry that others can read": Damage("not_private", lambda b: a_registry(b).chmod(0o644)),
    "a lock that others can take": Damage("not_private", lambda b: (b.store / "lock").chmod(0o666)),
    "a database with a second name": Damage(
        "hard_link", lambda b: os.link(b.store / "metadata.db", b.root / os.urandom(8).hex())
    ),
    "an old database that others can read": Damage(
        "not_private", lambda b: create(b.store / "backups" / "x.db", mode=0o644)
    ),
    "a ledger that others can read": Damage(
        "not_private", lambda b: a_tombstone(b, lambda _: (b.root / "store.purged").chmod(0o644))
    ),
    # registries, rejects, tombstones
    "a missing registry": Damage("registry_differs", lambda b: a_registry(b).unlink()),
    "an empty registry": Damage("registry_differs", lambda b: a_registry(b).write_text("")),
    "a registry that is no JSON": Damage("registry_differs", lambda b: a_registry(b).write_text("[")),
    "a registry that is no object": Damage("registry_differs", lambda b: a_registry(b).write_text("[]")),
    "a registry with another count": Damage("registry_differs", lambda b: registry(b, objects=77)),
    "a registry with another key": Damage("registry_differs", lambda b: registry(b, key=["other"])),
    "a registry with other ids": Damage("registry_differs", lambda b: registry(b, ids=["F" * 32])),
    "a registry that claims to hold more": Damage("registry_differs", lambda b: registry(b, holds="f" * 64)),
    "a registry with more to say": Damage("registry_differs", lambda b: registry(b, notes="x")),
    "a registry of no type": Damage("foreign_file", lambda b: create(b.store / "registry" / "zzz.json")),
    "rejects that are no rejects": Damage("rejects_damaged", lambda b: rejects(b, lambda path: path.write_text("x\n"))),
    "a rejected record that was changed": Damage(
        "rejects_differ", lambda b: rejects(b, lambda path: flip_at(path, b'"record":{"'))
    ),
    "a reason that was changed": Damage(
        "rejects_differ", lambda b: rejects(b, lambda path: flip_at(path, b'"rule":"'))
    ),
    "a rejected record that is gone": Damage(
        "rejects_differ", lambda b: rejects(b, lambda path: path.write_bytes(path.read_bytes().partition(b"\n")[2]))
    ),
    "a rejected record too many": Damage(
        "rejects_differ", lambda b: rejects(b, lambda path: append(path, path.read_bytes().partition(b"\n")[0] + b"\n"))
    ),
    "rejects that end in the middle": Damage(
        "rejects_damaged", lambda b: rejects(b, lambda path: os.truncate(path, path.stat().st_size - 1))
    ),
    "missing rejects": Damage("missing_rejects", lambda b: rejects(b, Path.unlink)),
    "rejects that others can read": Damage("not_private", lambda b: rejects(b, lambda path: path.chmod(0o644))),
    "rejects of no file": Damage("foreign_file", lambda b: create(b.store / "rejects" / "zzz-20250101.jsonl", "")),
    "a tombstone without a row": Damage("unknown_tombstone", lambda b: create(first(b).with_suffix(".purged"), "{}")),
    "a tombstone that was changed": Damage(
        "tombstone_damaged", lambda b: a_tombstone(b, lambda path: append(path, b"\n"))
    ),
    "a missing tombstone": Damage("missing_tombstone", lambda b: a_tombstone(b, Path.unlink)),
    "a tombstone of another type": Damage(
        "unknown_tombstone",
        lambda b: a_tombstone(b, lambda path: path.rename(path.with_name("other_" + path.name[-39:]))),
    ),
    # rows of objects
    "an id": Damage("missing_object", lambda b: sql(b, f"UPDATE object SET id = {UNKNOWN} WHERE no = {ONE}")),
    "a revision": Damage("missing_object", lambda b: sql(b, f"UPDATE object SET revision = 55 WHERE no = {ONE}")),
    "a reading": Damage("row_without_type", lambda b: sql(b, f"UPDATE object SET reading = 99 WHERE no = {ONE}")),
    "a state": Damage("none_current", lambda b: sql(b, "UPDATE object SET state = 1 WHERE state = 0")),
    "an object that was retired": Damage(
        "retired_but_held", lambda b: sql(b, "UPDATE object SET state = 2 WHERE state = 0")
    ),
    "a moment": Damage("row_differs", lambda b: sql(b, f"UPDATE object SET time = 5 WHERE no = {ONE}")),
    "a fingerprint": Damage("row_differs", lambda b: sql(b, f"UPDATE object SET fingerprint = {UNKNOWN}")),
    "a digest": Damage("row_differs", lambda b: sql(b, "UPDATE object SET sha256 = zeroblob(32)")),
    "a size": Damage("row_differs", lambda b: sql(b, "UPDATE object SET bytes = bytes + 1")),
    "the digest of volatile fields": Damage(
        "row_differs", lambda b: sql(b, "UPDATE object SET volatile = zeroblob(8)")
    ),
    "a row that is gone": Damage("foreign_file", lambda b: sql(b, f"DELETE FROM object WHERE no = {ONE}")),
    "a row of an object that is not there": Damage(
        "missing_object",
        lambda b: sql(
            b,
            f"""INSERT INTO object SELECT no + 1000, {UNKNOWN}, 1, reading, state, time, fingerprint,
            sha256, bytes, indexed, volatile FROM object WHERE no = {ONE}""",
        ),
    ),
    "a sequence that starts again": Damage(
        "row_out_of_sequence", lambda b: sql(b, "UPDATE meta SET value = 0 WHERE key = 'sequence'")
    ),
    "a column": Damage("columns_differ", lambda b: sql(b, "UPDATE fields_1 SET c1 = 'other'")),
    "a row of columns that is gone": Damage(
        "columns_differ", lambda b: sql(b, f"DELETE FROM fields_1 WHERE object = {ONE}")
    ),
    "a row of columns too many": Damage(
        "stray_columns fields_1", lambda b: sql(b, "INSERT INTO fields_1 (object) VALUES (5)")
    ),
    "a count": Damage("tally_differs", lambda b: sql(b, "UPDATE tally SET objects = objects + 1")),
    "a sum of bytes": Damage("tally_differs", lambda b: sql(b, "UPDATE tally SET bytes = 0 WHERE bytes > 0")),
    # words and vectors
    "words that are gone": Damage(
        "missing_words",
        lambda b: indexed(b) and sql(b, "INSERT INTO fulltext (fulltext) VALUES ('delete-all')"),
    ),
    "words that are not the object's": Damage(
        "words_differ",
        lambda b: (
            indexed(b)
            and sql(
                b, "INSERT INTO fulltext (rowid, title, body) SELECT max(no), 'more', 'words' FROM object WHERE indexed"
            )
        ),
    ),
    "words of no object": Damage(
        "stray_words", lambda b: sql(b, "INSERT INTO fulltext (rowid, title, body) VALUES (7, 'a', 'b')")
    ),
    "an object that claims to have no words": Damage(
        "stray_words", lambda b: sql(b, "UPDATE object SET indexed = 0 WHERE indexed")
    ),
    "a vector of no object": Damage(
        "stray_embedding", lambda b: sql(b, "INSERT INTO embedding VALUES (7, 'model', zeroblob(1536))")
    ),
    # files and what they hold
    "a holding of nothing": Damage(
        "stray_holding", lambda b: sql(b, "INSERT INTO holding (file, object, line) SELECT min(no), 99, 1 FROM file")
    ),
    "the line of a holding": Damage("holdings_differ", lambda b: sql(b, "UPDATE holding SET line = line + 100")),
    "holdings that were exchanged": Damage(
        "holdings_differ",
        lambda b: (
            metadata(b, "SELECT max(object) > min(object) FROM holding WHERE file = 1")
            and sql(
                b,
                """UPDATE holding SET line = (SELECT max(line) + min(line) FROM holding AS h WHERE h.file = 1) - line
            WHERE file = 1 AND line IN ((SELECT max(line) FROM holding WHERE file = 1),
                                        (SELECT min(line) FROM holding WHERE file = 1))""",
            )
        ),
    ),
    "what a holding delivered": Damage(
        "holdings_differ", lambda b: sql(b, """UPDATE holding SET delivered = '{"volatile":{}}'""")
    ),
    "an object that no file holds": Damage(
        "current_but_not_held", lambda b: sql(b, f"DELETE FROM holding WHERE object = {CURRENT}")
    ),
    "the size of a file": Damage("file_differs", lambda b: sql(b, "UPDATE file SET size = size + 1")),
    "the time of a file": Damage("file_differs", lambda b: sql(b, "UPDATE file SET mtime_ns = mtime_ns + 1")),
    "the digest of a file": Damage("file_differs", lambda b: sql(b, "UPDATE file SET sha256 = zeroblob(32)")),
    "the settings of a file": Damage("file_differs", lambda b: sql(b, "UPDATE file SET settings = '{}'")),
    "the date of a file": Damage("file_differs", lambda b: sql(b, "UPDATE file SET date = '19990101'")),
    "the records of a file": Damage("file_differs", lambda b: sql(b, "UPDATE file SET records = records + 1")),
    "the rejects of a file": Damage("file_differs", lambda b: sql(b, "UPDATE file SET rejected = rejected + 1")),
    "a file that is said to be missing": Damage(
        "file_differs", lambda b: sql(b, "UPDATE file SET missing = 1 - missing")
    ),
    "a file's row that is gone": Damage(
        "stray_holding", lambda b: sql(b, "DELETE FROM file WHERE no IN (SELECT file FROM holding)")
    ),
    # tombstones, schemas and properties
    "a row of a tombstone without a file": Damage(
        "missing_tombstone", lambda b: sql(b, f"INSERT OR REPLACE INTO tombstone VALUES ({UNKNOWN}, 1)")
    ),
    "a tombstone for an object that is there": Damage(
        "purged_object", lambda b: sql(b, "INSERT INTO tombstone SELECT min(id), 1 FROM object")
    ),
    "rules that are no JSON": Damage("reading_damaged", lambda b: sql(b, "UPDATE reading SET rules = '{'")),
    "rules that are no object": Damage("reading_damaged", lambda b: sql(b, "UPDATE reading SET rules = '7'")),
    "properties that are no JSON": Damage("reading_damaged", lambda b: sql(b, "UPDATE reading SET properties = '['")),
    "other rules": Damage("fingerprint_differs", lambda b: sql(b, """UPDATE reading SET rules = '{"key":["zzz"]}'""")),
    "another schema": Damage("row_differs", lambda b: sql(b, "UPDATE reading SET schema = schema || '0'")),
    "a property that is gone": Damage("field_differs", lambda b: sql(b, "DELETE FROM field WHERE property = 'schema'")),
    "a property with another name": Damage(
        "field_differs", lambda b: sql(b, "UPDATE field SET property = 'z' || property")
    ),
    "a property that is read from elsewhere": Damage(
        "field_differs", lambda b: sql(b, "UPDATE field SET lazy = 1 - lazy")
    ),
    "a type with another name": Damage("missing_object", lambda b: sql(b, "UPDATE type SET name = 'z' || name")),
    # definitions and pages
    "a table of its own": Damage("foreign_definition", lambda b: sql(b, "CREATE TABLE notes (text)")),
    "a view of its own": Damage("foreign_definition", lambda b: sql(b, "CREATE VIEW notes AS SELECT 1")),
    "an index of its own": Damage("foreign_definition", lambda b: sql(b, "CREATE INDEX notes ON object (bytes)")),
    "a trigger of its own": Damage(
        "foreign_definition", lambda b: sql(b, "CREATE TRIGGER t AFTER INSERT ON meta BEGIN SELECT 1; END")
    ),
    "an index that is gone": Damage("definition_differs", lambda b: sql(b, "DROP INDEX holding_object")),
    "a trigger that is gone": Damage("definition_differs", lambda b: sql(b, "DROP TRIGGER object_moved")),
    "a table that is gone": Damage("definition_differs", lambda b: sql(b, "DROP TABLE embedding")),
    "a table of columns that is gone": Damage("definition_differs", lambda b: sql(b, "DROP TABLE fields_1")),
    "a table with one more column": Damage(
        "definition_differs", lambda b: sql(b, "ALTER TABLE embedding ADD COLUMN note TEXT")
    ),
    "a database that is text": Damage("", lambda b: (b.store / "metadata.db").write_text("ruined " * 1000)),
    "a database of no bytes": Damage("", lambda b: os.truncate(b.store / "metadata.db", 0)),
    "a missing database": Damage("", lambda b: lose_database(b)),
    "a database of an older version": Damage("", lambda b: sql(b, "PRAGMA user_version = 2") or True),
    "a database that was cut": Damage("", truncate),
    "pages that were overwritten": Damage("", page),
}

FORGETS = {"a tombstone without a row", "a tombstone for an object that is there"}
"""A tombstone that is there counts, so that no purge is ever forgotten: the object goes."""


def indexed(bench: Bench) -> bool:
    """Whether any object is in the full text."""
    return bool(metadata(bench, "SELECT count(*) FROM object WHERE indexed"))


def metadata(bench: Bench, query: str) -> Any:
    """A value from the database."""
    connection = apsw.Connection(str(bench.store / "metadata.db"))
    ((value,),) = connection.execute(query).fetchall()
    connection.close()
    return value


def lose_database(bench: Bench) -> None:
    for path in bench.store.glob("metadata.db*"):
        path.unlink()
