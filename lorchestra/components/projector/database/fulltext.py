"""The full text: which of its columns holds which field of a type, and putting texts in and taking them out.

`title` and `body` are the same for all types. Fields that schemas name with `x-field` get one of the other columns
each, in the order in which they are met.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import apsw
import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.database import metadata_db
from lorchestra.components.projector.record import schema
from lorchestra.components.projector.record.schema import Rules

COLUMNS = ("title", "body", *(f"f{no}" for no in range(1, 11)))
MOST_FIELDS = len(COLUMNS) - 2
_NAMES = ", ".join(COLUMNS)
_VALUES = ", ".join("?" * len(COLUMNS))
INSERT = f"INSERT INTO fulltext (rowid, {_NAMES}) VALUES (?, {_VALUES})"  # noqa: S608 - constants
_DELETE = f"INSERT INTO fulltext (fulltext, rowid, {_NAMES}) VALUES ('delete', ?, {_VALUES})"  # noqa: S608 - constants


class Columns:
    """The columns of one type's fields. Those of new fields are assigned on demand."""

    def __init__(self, connection: apsw.Connection, kind: int) -> None:
        self._connection, self._kind = connection, kind
        fields = connection.execute("SELECT name, no FROM text_field WHERE type = ?", (kind,))
        self._numbers: dict[str, int] = {"title": 0, "body": 1, **{name: no + 1 for name, no in fields}}

    def number(self, name: str) -> int:
        """The position of a field's column in COLUMNS. Raises Failure(CONFIG) if a type has too many fields."""
        if name not in self._numbers:
            no = len(self._numbers) - 1
            if no > MOST_FIELDS:
                raise Failure(Code.CONFIG, f"more than {MOST_FIELDS} fields (x-field) in one type")
            self._connection.execute("INSERT INTO text_field (type, name, no) VALUES (?, ?, ?)", (self._kind, name, no))
            self._numbers[name] = no + 1
        return self._numbers[name]

    def row(self, texts: Mapping[str, str]) -> tuple[str, ...]:
        """Texts in the order of COLUMNS."""
        row = [""] * len(COLUMNS)
        for name, text in texts.items():
            row[self.number(name)] = text
        return tuple(row)


def rules(connection: apsw.Connection, no: int) -> Rules:
    """The rules by which a revision was taken into the full text."""
    query = "SELECT rules FROM reading JOIN object ON object.reading = reading.no WHERE object.no = ?"
    return schema.rules_from(orjson.loads(metadata_db.value(connection, query, (no,), "{}")))


def delete(connection: apsw.Connection, no: int, row: Iterable[str]) -> None:
    """Take a revision out. The texts must be those that went in, or words of them stay."""
    connection.execute(_DELETE, (no, *row))
