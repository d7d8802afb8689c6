"""Finding objects in the database."""

from __future__ import annotations

import re
from typing import NamedTuple

import apsw

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.layout import ID_BYTES, ObjectName
from lorchestra.components.projector.rows import CURRENT, FORMER, RETIRED

STATES = {CURRENT: "current", FORMER: "former", RETIRED: "retired"}
_PREFIX = re.compile("[0-9A-Fa-f]{4,32}")


class Found(NamedTuple):
    """A revision of an object as the database knows it."""

    no: int
    name: ObjectName
    state: int
    time: int | None
    sha256: bytes
    bytes: int


def revisions(connection: apsw.Connection, text: str) -> list[Found]:
    """All revisions of the object whose id begins like this (at least 4 digits), oldest first.

    Raises Failure(USAGE | MISSING) where no id or more than one begins so.
    """
    if not _PREFIX.fullmatch(text):
        raise Failure(Code.USAGE, "an id is 32 hexadecimal digits, or the first 4 or more of them")
    low = bytes.fromhex(text.ljust(2 * ID_BYTES, "0"))
    high = bytes.fromhex(text.ljust(2 * ID_BYTES, "F"))
    query = """SELECT object.no, type.name, id, revision, state, time, sha256, bytes FROM object
               JOIN reading ON reading.no = object.reading JOIN type ON type.no = reading.type
               WHERE id BETWEEN ? AND ? ORDER BY id, revision LIMIT 1000"""
    found = [Found(no, ObjectName(*name), *rest) for no, *row in connection.execute(query, (low, high))
             for name, rest in [(row[:3], row[3:])]]  # fmt: skip
    if not found:
        raise Failure(Code.MISSING, "no object has this id", advice="See: vector-projector list TYPE")
    if len({item.name.id for item in found}) > 1:
        raise Failure(Code.USAGE, "more than one id begins so", advice="Give more digits.")
    return found


def chosen(found: list[Found], revision: int | None) -> Found:
    """The revision that is asked for; by default the current one, or the retired one."""
    if revision is None:
        return max(found, key=lambda item: (item.state != FORMER, item.name.revision))
    for item in found:
        if item.name.revision == revision:
            return item
    raise Failure(
        Code.MISSING, f"the object has no revision {revision}", advice="See: vector-projector get ID --history"
    )
