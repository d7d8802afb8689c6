"""A transform's metadata file, in both dialects in use.

from_schema, to_schema, spec_path, checksum.jsonata_sha256          flat registries
input_schema, output_schema, checksum.algorithm, checksum.value     versioned registries
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lorchestra.base import yaml_document
from lorchestra.base.errors import ConfigFailure, Finding
from lorchestra.records import iglu
from lorchestra.records.registry import FROM_SCHEMA, TO_SCHEMA, is_below, named

ENGINES = {"jsonata": "jsonatapy", "jsonatapy": "jsonatapy", "jlens": "jlens"}
"""What `engine:` may say, and which engine that is. `jsonata` names the language: the default engine runs it."""

_LARGEST = 256 * 1024
_VERSION = re.compile(r"(?:0|[1-9]\d{0,5})(?:\.(?:0|[1-9]\d{0,5})){2}")
_ID = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")
_RANGE = re.compile(r"[1-9]\d{0,5}-(?:\*-\*|\d{1,6}-(?:\*|\d{1,6}))")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a metadata file says. `spec_path` is None where the spec lies under the metadata's own name."""

    id: str | None
    version: str
    engine: str
    from_schema: str
    to_schema: str
    spec_path: str | None
    sha256: str | None
    from_schema_range: str | None
    document: Mapping[str, Any]


def parse(content: bytes, name: str) -> Metadata:
    """Read a metadata file. Raises ConfigFailure naming every fault with its line and column."""
    if len(content) > _LARGEST:
        raise ConfigFailure(name, [Finding(1, 1, f"larger than {_LARGEST} bytes")])
    document = yaml_document.load(content, name)
    if not isinstance(document.value, dict):
        raise ConfigFailure(name, [Finding(1, 1, "metadata is a mapping of keys to values")])
    reader = _Reader(document)
    metadata = Metadata(
        id=reader.text(("id",), "a transform's id, as email/gmail_to_canonical", _is_id, required=False),
        version=reader.text(("version",), 'three numbers in quotes, as "1.0.0"', _is_version) or "",
        engine=ENGINES.get(reader.text(("engine",), _ENGINES, _is_engine, required=False) or "jsonata", ""),
        from_schema=reader.text(FROM_SCHEMA, _IGLU, _is_iglu) or "",
        to_schema=reader.text(TO_SCHEMA, _IGLU, _is_iglu) or "",
        spec_path=reader.text(("spec_path",), "a path below the metadata's directory", is_below, required=False),
        sha256=_checksum(reader),
        from_schema_range=_range(reader),
        document=document.value,
    )
    if reader.findings:
        raise ConfigFailure(name, reader.findings)
    return metadata


_IGLU = "a schema's name, as iglu:org.canonical/email/jsonschema/1-0-0"
_ENGINES = f"one of {', '.join(ENGINES)}"


def _checksum(reader: _Reader) -> str | None:
    checksum = reader.document.value.get("checksum")
    if checksum is None:
        return None
    if not isinstance(checksum, dict):
        reader.find(("checksum",), "a mapping with jsonata_sha256, or with algorithm and value")
        return None
    algorithm = checksum.get("algorithm", "sha256")
    if algorithm not in ("sha256", "sha-256", "SHA256", "SHA-256"):
        reader.find(("checksum", "algorithm"), "sha256, the one algorithm that is understood")
    key = "value" if "jsonata_sha256" not in checksum else "jsonata_sha256"
    value = checksum.get(key)
    if value == "":  # not written yet: `can registry checksum --write` fills it in
        return None
    if not isinstance(value, str) or not _SHA256.fullmatch(value.lower()):
        reader.find(("checksum", key), "64 hexadecimal digits")
        return None
    return value.lower()


def _range(reader: _Reader) -> str | None:
    compat = reader.document.value.get("compat")
    if compat is not None and not isinstance(compat, dict):
        reader.find(("compat",), "a mapping, of from_schema_range")
    text = compat.get("from_schema_range") if isinstance(compat, dict) else None
    if text is None:
        return None
    if not isinstance(text, str) or not _RANGE.fullmatch(text):
        reader.find(("compat", "from_schema_range"), "a range of SchemaVer, as 1-0-* or 1-*-*")
        return None
    key = iglu.parse(str(named(reader.document.value, FROM_SCHEMA)))
    if key is not None and not in_range(key.version, text):
        reader.find(("compat", "from_schema_range"), "a range that the input schema lies in")
    return text


def in_range(version: str, wanted: str) -> bool:
    """Whether a SchemaVer lies in a range such as `1-0-*`."""
    return all(part in ("*", number) for number, part in zip(version.split("-"), wanted.split("-"), strict=True))


class _Reader:
    """Takes values out of a document and collects what is wrong with them."""

    def __init__(self, document: yaml_document.Document) -> None:
        self.document = document
        self.findings: list[Finding] = []

    def find(self, path: yaml_document.Path, wanted: str) -> None:
        line, column = self.document.place(path)
        self.findings.append(Finding(line, column, f"{'.'.join(map(str, path))}: must be {wanted}"))

    def text(self, keys: tuple[str, ...], wanted: str, fits: Any, *, required: bool = True) -> str | None:
        present = [key for key in keys if self.document.value.get(key) is not None]
        if not present:
            if required:
                self.find((keys[0],), wanted)
            return None
        if len(present) > 1:
            self.find((present[1],), f"left out where {present[0]} is written")
        value = self.document.value[present[0]]
        if not isinstance(value, str) or not fits(value):
            self.find((present[0],), wanted)
            return None
        return value


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None and ".." not in text


def _is_version(text: str) -> bool:
    return _VERSION.fullmatch(text) is not None


def _is_engine(text: str) -> bool:
    return text in ENGINES


def _is_iglu(text: str) -> bool:
    return iglu.parse(text) is not None
