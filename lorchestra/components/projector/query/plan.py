"""A query as SQL, for one type: the same word can mean different columns in different types.

Whatever the full text can decide goes into one MATCH expression. Dates, flags and volatile fields are conditions on
columns; a full-text part inside of them becomes `object.no IN (SELECT rowid FROM fulltext ...)`.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import apsw
import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.database import lookup, metadata_db
from lorchestra.components.projector.objects import layout
from lorchestra.components.projector.query import language
from lorchestra.components.projector.query.language import All, Node, Not, Term
from lorchestra.components.projector.record import schema
from lorchestra.components.projector.record import words as words_of

_BUILT_IN = ("type", "date", "before", "after", "is")
_NEVER, _ALWAYS = "0", "1"
_DATES = "a date is 2025, 2025-01 or 2025-01-31; a range is 2025-01..2025-03, 2025-01.. or ..2025-03"


class Kind(NamedTuple):
    """A type as the search sees it. `texts`: full-text columns by field; `columns`: columns of the views by field."""

    no: int
    name: str
    texts: Mapping[str, str]
    columns: Mapping[str, tuple[int, ...]]

    @property
    def fields(self) -> set[str]:
        return {*self.texts, *self.columns}


class Plan(NamedTuple):
    """The part of a query that concerns one type. `match` is empty if the full text has nothing to decide."""

    kind: Kind
    match: str
    condition: str
    values: tuple[object, ...]
    first: int
    last: int


def kinds(connection: apsw.Connection) -> list[Kind]:
    """All types of a store."""
    found = metadata_db.rows(connection, "SELECT no, name FROM type ORDER BY name")
    return [_kind(connection, no, name) for no, name in found]


def plans(every: Sequence[Kind], node: Node, first: date | None, last: date | None) -> list[Plan]:
    """The plan of a query for each type that can match. Raises Failure(USAGE) for fields or types that are unknown."""
    _check(every, node)
    made = [_Planner(kind).plan(node, first, last) for kind in every]
    return [plan for plan in made if plan.condition != _NEVER and plan.first <= plan.last]


def has_field(*arguments: Any) -> bool:
    """Whether a column's value is this text, or a list with it; without regard to case and accents. For SQLite."""
    value, wanted, prefix = arguments
    if not isinstance(value, str):
        return False
    items = orjson.loads(value) if value.startswith("[") else [value]
    folded = [schema.folded(item) for item in items if isinstance(item, str)]
    return any(item.startswith(wanted) if prefix else item == wanted for item in folded)


def days(text: str) -> tuple[date | None, date | None]:
    """First and last day of a date or range. Raises Failure(USAGE)."""
    start, dots, end = text.partition("..")
    if not (start or end):
        raise Failure(Code.USAGE, _DATES)
    first = _period(start)[0] if start else None
    last = _period(end if dots else start)[1] if end or not dots else None
    return first, last


def _period(text: str) -> tuple[date, date]:
    """First and last day of a year, a month or a day."""
    try:
        year, month, day = (*(int(part) for part in text.split("-")), 0, 0)[:3]
        if text.count("-") > 2 or (day and not month):
            raise ValueError
        last = day or calendar.monthrange(year, month or 12)[1]
        return date(year, month or 1, day or 1), date(year, month or 12, last)
    except (ValueError, OverflowError, IndexError):
        raise Failure(Code.USAGE, _DATES) from None


def _kind(connection: apsw.Connection, no: int, name: str) -> Kind:
    numbers = dict(connection.execute("SELECT property, no FROM field WHERE type = ?", (no,)))
    texts = {"title": "title", "body": "body"}
    texts |= {each: f"f{column}" for each, column in connection.execute(
        "SELECT name, no FROM text_field WHERE type = ?", (no,))}  # fmt: skip
    columns: dict[str, tuple[int, ...]] = {}
    for (text,) in metadata_db.rows(connection, "SELECT rules FROM reading WHERE type = ?", (no,)):
        rules = schema.rules_from(orjson.loads(text))
        for field, properties in rules.fields:
            if rules.title in properties and "title" not in texts.get(field, "").split():
                texts[field] = f"title {texts.get(field, '')}".strip()
            columns[field] = tuple(numbers[each] for each in properties if each in numbers)
    return Kind(no, name, texts, columns)


def _check(every: Sequence[Kind], node: Node) -> None:
    known = sorted({*_BUILT_IN, *(field for kind in every for field in kind.fields)})
    for term in language.terms(node):
        if term.field and term.field not in known:
            import difflib  # only here: it takes long to import

            close = difflib.get_close_matches(term.field, known, 1)
            hint = f"Did you mean {close[0]}:? " if close else ""
            raise Failure(
                Code.USAGE,
                "a field of the query is unknown",
                advice=f"{hint}Known: {', '.join(known)}. Or quote the word.",
            )
        if term.field == "type" and not any(kind.name == term.text for kind in every):
            raise lookup.unknown_type([kind.name for kind in every])


class _Planner:
    """Compiles a tree for one type."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._values: list[object] = []

    def plan(self, node: Node, first: date | None, last: date | None) -> Plan:
        """The plan of a whole query; its top-level dates narrow the range of rows."""
        matches: list[str] = []
        excluded: list[str] = []
        conditions: list[str] = []
        for part in node.parts if isinstance(node, All) else (node,):
            if isinstance(part, Term) and part.field in ("date", "before", "after"):
                start, end = _span(part)
                first, last = (
                    max(filter(None, (first, start)), default=None),
                    min(filter(None, (last, end)), default=None),
                )
            elif match := self._match(part):
                matches.append(match)
            elif isinstance(part, Not) and (match := self._match(part.part)):
                excluded.append(match)
            else:
                conditions.append(self._condition(part))
        if excluded and not matches:
            conditions += [f"NOT ({self._in_fulltext(match)})" for match in excluded]
            excluded = []
        whole = " AND ".join(matches) + "".join(f" NOT {match}" for match in excluded)
        condition = _NEVER if _NEVER in conditions else " AND ".join(conditions) or _ALWAYS
        low, high = layout.row_range(self._kind.no, first, last)
        return Plan(self._kind, whole, condition, tuple(self._values), low, high)

    def _match(self, node: Node) -> str:
        """The FTS5 expression for a tree; empty if the full text cannot decide it."""
        if isinstance(node, Term):
            return self._term(node)
        if isinstance(node, Not):
            return ""
        parts = [part for part in node.parts if not isinstance(part, Not)]
        excluded = [part.part for part in node.parts if isinstance(part, Not)]
        found = [self._match(part) for part in (*parts, *excluded)]
        if not parts or not all(found) or (excluded and not isinstance(node, All)):
            return ""
        positive = (" AND " if isinstance(node, All) else " OR ").join(found[: len(parts)])
        return f"(({positive}){''.join(f' NOT {match}' for match in found[len(parts) :])})"

    def _term(self, term: Term) -> str:
        if term.field and term.field not in self._kind.texts:
            return ""
        match = words_of.phone_match(term.text) if term.field == schema.PHONE else ""
        match = match or words_of.match(term.text, prefix=term.prefix)
        if not match:
            return ""
        return f"{{{self._kind.texts[term.field]}}} : ({match})" if term.field else f"({match})"

    def _condition(self, node: Node) -> str:
        if match := self._match(node):
            return self._in_fulltext(match)
        if isinstance(node, Term):
            return self._column(node)
        if isinstance(node, Not):
            return f"NOT ({self._condition(node.part)})"
        joined = (" AND " if isinstance(node, All) else " OR ").join(self._condition(part) for part in node.parts)
        return f"({joined})"

    def _in_fulltext(self, match: str) -> str:
        self._values += [match, *layout.row_range(self._kind.no)]
        return "object.no IN (SELECT rowid FROM fulltext WHERE fulltext MATCH ? AND rowid BETWEEN ? AND ?)"

    def _column(self, term: Term) -> str:
        """A condition on columns: a type, a date, a flag, or a volatile field."""
        if term.field == "type":
            return _ALWAYS if term.text == self._kind.name else _NEVER
        if term.field in ("date", "before", "after"):
            self._values += layout.row_range(self._kind.no, *_span(term))
            return "object.no BETWEEN ? AND ?"
        if term.field == "is":
            return self._flag(term.text.lower())
        columns = self._kind.columns.get(term.field, ())
        if not columns:
            return _NEVER
        for _ in columns:
            self._values += [schema.folded(term.text), term.prefix]
        return "(" + " OR ".join(f"has_field(fields.c{column}, ?, ?)" for column in columns) + ")"

    def _flag(self, name: str) -> str:
        negated = name not in self._kind.columns and name.startswith("un")
        columns = self._kind.columns.get(name.removeprefix("un") if negated else name, ())
        if not columns:
            return _NEVER
        return "(" + " OR ".join(f"coalesce(fields.c{no}, 0) = {int(not negated)}" for no in columns) + ")"


def _span(term: Term) -> tuple[date | None, date | None]:
    first, last = days(term.text)
    one = timedelta(days=1)
    if term.field == "date":
        return first, last
    if first is None or last is None or ".." in term.text:
        raise Failure(Code.USAGE, f"{term.field}: takes one date, no range", advice=_DATES)
    try:
        return (None, first - one) if term.field == "before" else (last + one, None)
    except OverflowError:
        raise Failure(Code.USAGE, _DATES) from None
