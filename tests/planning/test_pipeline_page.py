"""docs/pipeline.md names every key that pipeline.yaml may have, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.harness import ROOT

PAGE = (ROOT / "docs" / "pipeline.md").read_text()
SCHEMA = json.loads((ROOT / "lorchestra" / "planning" / "pipeline.schema.json").read_bytes())
ELSEWHERE = {"sources"}  # docs/extract.md has its settings


def keys(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The dotted names of the leaves."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    properties = schema.get("properties", {})
    for name, inner in properties.items():
        if name not in ELSEWHERE:
            yield from keys(inner, f"{path}.{name}".lstrip("."))
    if not properties:
        yield path


def test_every_key_is_described() -> None:
    described = set(re.findall(r"`([a-z_.*]+)`", PAGE.replace("`, `.", "` `.")))
    words = {word for name in described for word in name.split(".")}
    missing = {name for name in keys(SCHEMA) if name.rpartition(".")[2] not in words}
    assert missing == set()


def test_no_key_is_invented() -> None:
    known = {"stages.*.retry." + name for name in SCHEMA["$defs"]["retry"]["properties"]} | set(keys(SCHEMA))
    stems = {name.rpartition(".")[0] for name in known} | {"stages.extract.sources", "stages.canonize.mappings"}
    named = set(re.findall(r"^\| `([a-z_.*]+)`", PAGE, re.MULTILINE))
    assert named <= known | stems, named - known - stems
