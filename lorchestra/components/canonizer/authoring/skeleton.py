"""The files of a new transform: a spec that already runs, its metadata, and a golden test that passes."""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lorchestra.components.canonizer.authoring import examples
from lorchestra.records.iglu import Schema

CASE = "example"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def spec(name: str, before: Schema, after: Schema) -> str:
    """JSONata that fills what the canonical schema requires: by the source's property of the same name, else by an
    example that says so."""
    known = before.document.get("properties", {})
    required = after.document.get("required", [])
    optional = [key for key in after.document.get("properties", {}) if key not in required]
    comment = "\n   ".join(
        [
            f"{name}: {before.key.name} to {after.key.name}.",
            *_listed(f"{before.key.name} has", list(known)),
            *_listed(f"{after.key.name} may also have", optional),
        ]
    )
    body = ",\n".join(_entry(key, known, after) for key in required)
    return f"/* {comment} */\n{{\n{body}\n}}\n"


def metadata(transform: str, before: Schema, after: Schema, spec_bytes: bytes) -> str:
    """The metadata of a first version, as YAML."""
    name = transform.rpartition("/")[2]
    return f"""id: {transform}
version: "1.0.0"
engine: jsonata
status: draft
from_schema: {before.key}
to_schema: {after.key}
spec_path: {name}.jsonata
checksum:
  jsonata_sha256: {hashlib.sha256(spec_bytes).hexdigest()}
compat:
  from_schema_range: {before.key.model}-{before.key.revision}-*
tests:
  - input: tests/{name}/{CASE}.input.json
    expect: tests/{name}/{CASE}.output.json
provenance:
  created_utc: "{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
"""


def pretty(document: Any) -> bytes:
    """A document as golden tests hold it."""
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def _compatible(source: Any, canonical: Any) -> bool:
    """Whether a source's property may have a type that the canonical one accepts, as far as both name types."""
    kinds = []
    for schema in (source, canonical):
        named = schema.get("type", []) if isinstance(schema, Mapping) else []
        kinds.append(set([named] if isinstance(named, str) else named) - {"null"})
    return not all(kinds) or bool(kinds[0] & kinds[1])


def _listed(label: str, names: list[str]) -> list[str]:
    text = f"{label}: {', '.join(names) or 'what its schema does not name'}".replace("*/", "* /")
    return textwrap.wrap(text, 110, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _entry(key: str, known: Mapping[str, Any], after: Schema) -> str:
    schema = after.document.get("properties", {}).get(key, {})
    if key == "schema":
        return f"  {json.dumps(key)}: {json.dumps(str(after.key))}"
    if key in known and _compatible(known[key], schema):
        source = key if _IDENTIFIER.fullmatch(key) else f"$lookup($, {json.dumps(key)})"
        return f"  {json.dumps(key)}: {source}"
    value = examples.of(after.document, schema)
    return f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)} /* to do: from where? */"
