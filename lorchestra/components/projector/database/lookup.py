"""Finding objects in the database."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import apsw

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.database import metadata_db
from lorchestra.components.projector.database.rows import CURRENT, FORMER, RETIRED
from lorchestra.components.projector.objects.layout import ID_BYTES, ObjectName

STATES = {CURRENT: "current", FORMER: "former", RETIRED: "retired"}
COLUMNS = "object.no, type.name, object.id, object.revision, object.state, object.time, object.sha256, object.bytes"
JOINS = "JOIN reading ON reading.no = object.reading JOIN type ON type.no = reading.type"
SELECT = f"SELECT {COLUMNS} FROM object {JOINS}"  # noqa: S608 - constants
_PREFIX = re.compile("[0-9A-Fa-f]{4,32}")


class Found(NamedTuple):
    """A revision of an object as the database knows it. `time` is in milliseconds since 1970."""

    no: int
    name: ObjectName
    state: int
    time: int | None
    sha256: bytes
    bytes: int


def found(row: Sequence[Any]) -> Found:
    """A row of COLUMNS."""
    return Found(row[0], ObjectName(*row[1:4]), *row[4:])


def revisions(connection: apsw.Connection, text: str) -> list[Found]:
    """All revisions of the object whose id begins like this (at least 4 digits), oldest first.

    Raises Failure(USAGE | MISSING) if no id, or more than one, begins with these digits.
    """
    if not _PREFIX.fullmatch(text):
        raise Failure(Code.USAGE, "an id has 32 hexadecimal digits; its first 4 or more are enough")
    low, high = (bytes.fromhex(text.ljust(2 * ID_BYTES, digit)) for digit in "0F")
    query = f"{SELECT} WHERE object.id BETWEEN ? AND ? ORDER BY object.id, revision LIMIT 1000"
    matches = [found(row) for row in metadata_db.rows(connection, query, (low, high))]
    if not matches:
        raise Failure(Code.MISSING, "no object has this id", advice="See: vector-projector list TYPE")
    if matches[0].name.id != matches[-1].name.id:
        raise Failure(Code.USAGE, "more than one id begins with these digits", advice="Give more digits.")
    return matches


def at(connection: apsw.Connection, file: str, line: int) -> list[Found]:
    """The revision that a line of a canonical file holds, as a list; empty if the store holds none."""
    held = "JOIN holding ON holding.object = object.no JOIN file ON file.no = holding.file"
    rows = metadata_db.rows(connection, f"{SELECT} {held} WHERE file.name = ? AND holding.line = ?", (file, line))
    return [found(row) for row in rows]


def revisions_of(connection: apsw.Connection, identity: bytes) -> list[Found]:
    """All revisions of an object, oldest first; none if it does not exist."""
    query = f"{SELECT} WHERE object.id = ? ORDER BY revision"
    return [found(row) for row in metadata_db.rows(connection, query, (identity,))]


def chosen(matches: Sequence[Found], revision: int | None) -> Found:
    """The requested revision; by default the current one, or the retired one."""
    if revision is None:
        return max(matches, key=lambda item: (item.state != FORMER, item.name.revision))
    for item in matches:
        if item.name.revision == revision:
            return item
    raise Failure(
        Code.MISSING, f"the object has no revision {revision}", advice="See: vector-projector get ID --history"
    )


def type_number(connection: apsw.Connection, kind: str) -> int:
    """The row of a type. Raises Failure(USAGE) naming the types that there are."""
    kinds = dict(metadata_db.rows(connection, "SELECT name, no FROM type"))
    if kind not in kinds:
        raise unknown_type(kinds)
    no: int = kinds[kind]
    return no


def unknown_type(kinds: Collection[str]) -> Failure:
    """The failure for a type that the store does not hold."""
    return Failure(
        Code.USAGE, "no such type in the store", advice=f"Its types: {', '.join(sorted(kinds)) or 'nothing'}."
    )
