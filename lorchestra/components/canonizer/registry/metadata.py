"""A transform's metadata file, in both dialects in use. transform.schema.json defines what is valid.

from_schema, to_schema, spec_path, checksum.jsonata_sha256          flat registries
input_schema, output_schema, checksum.algorithm, checksum.value     versioned registries
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorchestra.base import yaml_document, yaml_schema
from lorchestra.base.errors import ConfigFailure, Finding
from lorchestra.records import iglu
from lorchestra.records.registry import FROM_SCHEMA, TO_SCHEMA, named

LANGUAGE = "jsonata"
"""What `engine:` says for the default engine: the name of the language."""

_LARGEST = 256 * 1024
_SCHEMA = Path(__file__).with_name("transform.schema.json")


@dataclass(frozen=True, slots=True)
class Metadata:
    """A valid metadata file.

    `spec_path` is None if the spec has the metadata's own name, `engine` is None for the default engine. `extensions`
    are the functions that the spec needs in addition to JSONata's own, with the place of each in the file.
    """

    id: str | None
    version: str
    engine: str | None
    from_schema: str
    to_schema: str
    spec_path: str | None
    sha256: str | None
    from_schema_range: str | None
    extensions: Mapping[str, yaml_document.Place]
    document: Mapping[str, Any]


def parse(content: bytes, name: str) -> Metadata:
    """Read a metadata file. Raises ConfigFailure with every error, each with line and column."""
    if len(content) > _LARGEST:
        raise ConfigFailure(name, [Finding(1, 1, f"larger than {_LARGEST:,} bytes")])
    document = yaml_document.load(content, name)
    findings = list(yaml_schema.check(document, json.loads(_SCHEMA.read_bytes()))) or list(_conflicts(document))
    if findings:
        raise ConfigFailure(name, findings)
    value = document.value
    checksum = value.get("checksum") or {}
    sha256 = checksum.get("jsonata_sha256", checksum.get("value")) or None
    return Metadata(
        id=value.get("id"),
        version=value["version"],
        engine=None if value.get("engine") == LANGUAGE else value.get("engine"),
        from_schema=named(value, FROM_SCHEMA),
        to_schema=named(value, TO_SCHEMA),
        spec_path=value.get("spec_path"),
        sha256=sha256.lower() if sha256 else None,
        from_schema_range=_range(value),
        extensions=dict(_extensions(document)),
        document=value,
    )


def _extensions(document: yaml_document.Document) -> Iterator[tuple[str, yaml_document.Place]]:
    """`extensions: [{name: htmlToMarkdown}]`, or a list of names; with or without `$`."""
    for number, entry in enumerate(document.value.get("extensions") or []):
        name = entry["name"] if isinstance(entry, dict) else entry
        yield name.removeprefix("$"), document.place(("extensions", number))


def in_range(version: str, wanted: str) -> bool:
    """Whether a schema version is in a range such as `1-0-*`."""
    return all(part in ("*", number) for number, part in zip(version.split("-"), wanted.split("-"), strict=True))


def _conflicts(document: yaml_document.Document) -> Iterator[Finding]:
    """Errors that depend on more than one value."""
    value = document.value
    key, wanted = iglu.parse(named(value, FROM_SCHEMA)), _range(value)
    if key and wanted and not in_range(key.version, wanted):
        where = document.place(("compat", "from_schema_range"))
        yield Finding(*where, f"`from_schema_range` must include {key.version}, the version of the input schema")


def _range(value: Mapping[str, Any]) -> str | None:
    return (value.get("compat") or {}).get("from_schema_range")
