"""How the records of one schema are read: judged, named, dated, and what of them is searched.

The canonical schema says it in fields of its own, each optional:

    "x-key": ["message_id"]      the natural key; without it the whole record is the key
    "x-volatile": ["labels"]     fields whose change is no change of the record
    "x-text": ["subject"]        fields that the full text holds
    "x-time": "date"             the moment the record belongs to (ISO 8601; without a zone: UTC)
    "x-title": "subject"         what a result is called by

and, in a property, `"x-field": "from"`: the name by which a search can ask for it alone, see docs/search.md.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from lorchestra.components.projector.record import words as words_of

MOST_COLUMNS = 500
PHONE = "phone"
"""The field whose texts are phone numbers."""
_INT64 = 2**63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rules(NamedTuple):
    """What the fields x-key, x-volatile, x-text, x-time and x-title of a schema say, and x-field of its properties."""

    key: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    time: str | None = None
    title: str | None = None
    fields: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The names that x-field gives, each with its properties."""

    def as_json(self) -> str:
        """One line, the same for the same rules."""
        said = {name: value for name, value in self._asdict().items() if value}
        if self.fields:
            said["fields"] = dict(self.fields)
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()


def rules_from(said: Mapping[str, Any]) -> Rules:
    """The rules that `as_json` wrote."""
    return Rules(
        tuple(said.get("key", ())),
        tuple(said.get("volatile", ())),
        tuple(said.get("text", ())),
        said.get("time"),
        said.get("title"),
        tuple((name, tuple(properties)) for name, properties in said.get("fields", {}).items()),
    )


class RecordSchema:
    """How records of one schema are read. `properties` are the schema's own, in its order."""

    def __init__(self, uri: str, rules: Rules, properties: tuple[str, ...]) -> None:
        self.uri = uri
        self.rules = rules
        self.rules_json = rules.as_json()
        self.properties = properties
        self.columns = tuple(name for name in properties if not is_lazy(name, rules))
        self.volatile = frozenset((*rules.volatile, "schema"))  # a newer schema alone is no change of a record


class Record(NamedTuple):
    """One line of a canonical file, validated and prepared. `time` is in milliseconds since 1970."""

    id: bytes
    fingerprint: bytes
    line: int
    time: int | None
    reading: RecordSchema
    raw: bytes
    texts: dict[str, str]
    columns: tuple[Any, ...]
    volatile: bytes | None


def is_lazy(name: str, rules: Rules) -> bool:
    """Whether a property is too long to be copied into the database: a view reads it from the object."""
    short = (*rules.key, *rules.volatile, rules.time, rules.title, *_named(rules))
    return name in rules.text and name not in short


def _named(rules: Rules) -> list[str]:
    return [name for _, properties in rules.fields for name in properties]


def column(value: Any) -> Any:
    """A value as a column of a view: scalars as they are, the rest as JSON."""
    if value is None or isinstance(value, str | float):
        return value
    if isinstance(value, int):
        return int(value) if -_INT64 <= value < _INT64 else str(value)
    return orjson.dumps(value).decode()


def searched(record: Mapping[str, Any], rules: Rules) -> dict[str, str]:
    """The texts of a record for the full text: `title`, `body` and its named fields; those that are empty are left out.

    Volatile fields are not among them: words can be removed only by the text that they came from, which would be gone.
    """
    texts: dict[str, str] = {}
    for group, names in _groups(rules):
        found = [words for name in names for words in _texts(record.get(name))]
        if found:
            text = "\n".join(found)
            texts[group] = words_of.prepared(text) + (f"\n{words_of.phones(text)}" if group == PHONE else "")
    return texts


@lru_cache
def _groups(rules: Rules) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The properties of each text, without volatile ones."""
    own = {rules.title, *_named(rules)}
    groups = {
        "title": [rules.title] if rules.title else [],
        "body": [name for name in rules.text if name not in own],
        **{name: [each for each in properties if each != rules.title] for name, properties in rules.fields},
    }
    fixed = {group: tuple(name for name in names if name not in rules.volatile) for group, names in groups.items()}
    return tuple((group, names) for group, names in fixed.items() if names)


def folded(text: str) -> str:
    """A text without case and accents, for comparing whole values as the full text compares words."""
    plain = unicodedata.normalize("NFKD", words_of.plain(text).casefold())
    return "".join(each for each in plain if not unicodedata.combining(each))


def moment(record: Mapping[str, Any], rules: Rules) -> int | None:
    """The record's moment in milliseconds since 1970, None where it has none that can be read."""
    said = record.get(rules.time) if rules.time else None
    if not isinstance(said, str):
        return None
    try:
        when = datetime.fromisoformat(said)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    span = when - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
