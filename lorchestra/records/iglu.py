"""Schemas by name, as in an Iglu static registry: `iglu:org.canonical/email/jsonschema/1-0-0`.

A schema is stored at `{root}/{vendor}/{name}/{format}/{model}-{revision}-{addition}`, with or without `.json`. Names
are Snowplow's Iglu URIs with SchemaVer versions. Nothing is ever downloaded.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lorchestra.base.errors import Code, Failure
from lorchestra.records.jsonl import has_duplicate_key
from lorchestra.records.registry import read_bytes

FORMAT = "jsonschema"
"""The only format of schemas that is read; registries may hold others, such as `avro`."""
DEEPEST = 200
"""The maximum nesting depth of a schema, so that recursive readers stay below Python's recursion limit."""

_URI = re.compile(
    r"iglu:(?P<vendor>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)/(?P<name>[A-Za-z0-9_-]+)/(?P<format>[A-Za-z0-9_-]+)"
    r"/(?P<model>[1-9][0-9]{0,5})-(?P<revision>0|[1-9][0-9]{0,5})-(?P<addition>0|[1-9][0-9]{0,5})"
)


class SchemaKey(NamedTuple):
    """The coordinates of a schema. Keys with the same name compare by version."""

    vendor: str
    name: str
    format: str
    model: int
    revision: int
    addition: int

    @property
    def version(self) -> str:
        """SchemaVer, such as `1-0-0`."""
        return f"{self.model}-{self.revision}-{self.addition}"

    @property
    def self_block(self) -> dict[str, str]:
        """The `self` block of a self-describing schema with this key."""
        return {"vendor": self.vendor, "name": self.name, "format": self.format, "version": self.version}

    def __str__(self) -> str:
        return f"iglu:{self.vendor}/{self.name}/{self.format}/{self.version}"


def parse(uri: str) -> SchemaKey | None:
    """The coordinates in an Iglu URI; None if the text is not one."""
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    vendor, name, kind, *version = match.groups()
    return SchemaKey(vendor, name, kind, *map(int, version))


class Schema(NamedTuple):
    """A schema of the registry: the parsed document and the SHA-256 of the file's bytes."""

    key: SchemaKey
    path: Path
    document: dict[str, Any]
    sha256: str


class SchemaRegistry:
    """The schemas below one or more directories; the first one that holds a schema counts. Each file is read once."""

    def __init__(self, *roots: Path) -> None:
        self.roots = roots
        self._loaded: dict[SchemaKey, Schema] = {}

    def load(self, uri: str) -> Schema:
        """The schema with an Iglu URI. Raises Failure(SCHEMA_MISSING | SCHEMA_INVALID)."""
        key = parse(uri)
        if key is None:
            raise Failure(Code.SCHEMA_INVALID, "a schema's name must have the form iglu:vendor/name/jsonschema/1-0-0")
        if key.format != FORMAT:
            raise Failure(Code.SCHEMA_INVALID, f"{key}: not a JSON Schema; use one of the format {FORMAT}")
        if key not in self._loaded:
            self._loaded[key] = self._read(key)
        return self._loaded[key]

    def loaded(self) -> list[Schema]:
        """The schemas read so far."""
        return list(self._loaded.values())

    def _read(self, key: SchemaKey) -> Schema:
        path = next((path for path in self.places(key) if os.path.lexists(path)), None)
        if path is None:
            raise Failure(Code.SCHEMA_MISSING, f"{key} is not in {' or '.join(map(str, self.roots))}")
        return read(path, key)

    def places(self, key: SchemaKey) -> Iterator[Path]:
        """The files that may hold a schema, in the order in which they are looked up."""
        for root in self.roots:
            plain = root / key.vendor / key.name / key.format / key.version
            yield plain
            yield plain.with_name(plain.name + ".json")


def read(path: Path, key: SchemaKey) -> Schema:
    """The schema in a file, which must not be a link. Raises Failure(SCHEMA_MISSING | SCHEMA_INVALID)."""
    content = read_bytes(path, Code.SCHEMA_MISSING, Code.SCHEMA_INVALID)
    try:
        document = orjson.loads(content.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Failure(Code.SCHEMA_INVALID, f"{path}: not a JSON object")
    if any(depth > DEEPEST for depth, _ in _nodes(document)):
        raise Failure(Code.SCHEMA_INVALID, f"{path}: nested deeper than {DEEPEST} levels")
    if has_duplicate_key(content):
        raise Failure(Code.SCHEMA_INVALID, f"{path}: duplicate key in an object")
    return Schema(key, path, document, hashlib.sha256(content).hexdigest())


def references(schema: Schema) -> Iterator[SchemaKey]:
    """The schemas that `$ref` keywords in a schema refer to, by Iglu URI or relative to the schema's own."""
    here = posixpath.dirname(str(schema.key).removeprefix("iglu:"))
    for _, node in _nodes(schema.document):
        reference = node.get("$ref") if isinstance(node, dict) else None
        if isinstance(reference, str):
            place = reference.partition("#")[0]
            absolute = place if place.startswith("iglu:") else f"iglu:{posixpath.normpath(posixpath.join(here, place))}"
            if key := parse(absolute.removesuffix(".json")):
                yield key


def _nodes(document: Any) -> Iterator[tuple[int, Any]]:
    """Every value in a document, with its depth."""
    waiting = [(1, document)]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        waiting += [(depth + 1, value) for value in inner]
