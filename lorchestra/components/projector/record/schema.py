"""How the records of one schema are read: judged, named, dated, and what of them is searched.

The canonical schema says it in fields of its own, each optional:

    "x-key": ["message_id"]      the natural key; without it the whole record is the key
    "x-volatile": ["labels"]     fields whose change is no change of the record
    "x-text": ["subject"]        fields that the full text holds
    "x-time": "date"             the moment the record belongs to (ISO 8601; without a zone: UTC)
    "x-title": "subject"         what a result is called by
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import jsonschema_rs
import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.records import iglu, violations
from lorchestra.records.schemas import compiled, element_of
from lorchestra.records.violations import Violation

MOST_COLUMNS = 500
_INT64 = 2**63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rules(NamedTuple):
    """What the fields x-key, x-volatile, x-text, x-time and x-title of a schema say."""

    key: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    time: str | None = None
    title: str | None = None

    def as_json(self) -> str:
        """One line, the same for the same rules."""
        said = {name: value for name, value in self._asdict().items() if value}
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()


def rules_from(said: Mapping[str, Any]) -> Rules:
    """The rules that `as_json` wrote."""
    return Rules(
        tuple(said.get("key", ())),
        tuple(said.get("volatile", ())),
        tuple(said.get("text", ())),
        said.get("time"),
        said.get("title"),
    )


class Reading:
    """How records of one schema are read. `properties` are the schema's own, in its order."""

    def __init__(self, uri: str, rules: Rules, properties: tuple[str, ...]) -> None:
        self.uri = uri
        self.rules = rules
        self.rules_json = rules.as_json()
        self.properties = properties
        self.columns = tuple(name for name in properties if not is_lazy(name, rules))
        self.volatile = frozenset((*rules.volatile, "schema"))  # a newer schema alone is no change of a record


class Judge(Reading):
    """A reading that knows its schema, and so whether a record fits."""

    def __init__(self, schema: iglu.Schema, validator: jsonschema_rs.Validator) -> None:
        super().__init__(str(schema.key), _rules(schema), _properties(schema.document))
        self.sha256 = schema.sha256
        self._validator = validator

    def violation(self, record: Mapping[str, Any]) -> Violation | None:
        """The first violation of its schema, None for a valid record. Raises ValueError for one nested too deep."""
        return None if self._validator.is_valid(record) else violations.first(self._validator, record)


def is_lazy(name: str, rules: Rules) -> bool:
    """Whether a property is too long to be copied into the database: a view reads it from the object."""
    return name in rules.text and name not in (*rules.key, *rules.volatile, rules.time, rules.title)


def column(value: Any) -> Any:
    """A value as a column of a view: scalars as they are, the rest as JSON."""
    if value is None or isinstance(value, str | float):
        return value
    if isinstance(value, int):
        return int(value) if -_INT64 <= value < _INT64 else str(value)
    return orjson.dumps(value).decode()


def searched(record: Mapping[str, Any], rules: Rules) -> tuple[str, str]:
    """Title and text of a record for the full text.

    Volatile fields are left out: words can be removed only by the text that they came from, which would be gone.
    """
    title = record.get(rules.title) if rules.title and rules.title not in rules.volatile else None
    fields = [field for field in rules.text if field != rules.title and field not in rules.volatile]
    body = "\n".join(words for field in fields for words in _texts(record.get(field)))
    return (title if isinstance(title, str) else ""), body


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


class Judges:
    """The schemas of a registry, each made ready once."""

    def __init__(self, schemas: iglu.SchemaRegistry) -> None:
        self.root = schemas.roots[0]
        self._schemas = schemas
        self._made: dict[str, Judge] = {}

    def get(self, uri: str) -> Judge:
        """The reading of a schema. Raises Failure(SCHEMA_MISSING | SCHEMA_INVALID), which may name the URI."""
        reading = self._made.get(uri)
        if reading is None:
            reading = self._made[uri] = self._make(uri)
        return reading

    def _make(self, uri: str) -> Judge:
        schema = self._schemas.load(uri)
        schema = element_of(schema)
        return Judge(schema, compiled(schema, self._schemas))


def _rules(schema: iglu.Schema) -> Rules:
    said = schema.document
    lists = {name: said.get(f"x-{name}", []) for name in ("key", "volatile", "text")}
    words = {name: said.get(f"x-{name}") for name in ("time", "title")}
    for name, value in lists.items():
        if not (isinstance(value, list) and all(isinstance(item, str) and item for item in value)):
            raise Failure(Code.SCHEMA_INVALID, f"{schema.path}: x-{name} must be a list of property names")
    for name, word in words.items():
        if not (word is None or (isinstance(word, str) and word)):
            raise Failure(Code.SCHEMA_INVALID, f"{schema.path}: x-{name} must be a property's name")
    return rules_from({**lists, **words})


def _properties(document: Mapping[str, Any]) -> tuple[str, ...]:
    properties = document.get("properties")
    return tuple(properties)[:MOST_COLUMNS] if isinstance(properties, dict) else ()
