"""JSON Schema: the JSON-Schema-Test-Suite, by draft. The source package of `jsonschema` on PyPI contains it.

https://github.com/json-schema-org/JSON-Schema-Test-Suite
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base.errors import Failure
from lorchestra.records.iglu import FORMAT, Schema, SchemaKey, SchemaRegistry
from lorchestra.records.schemas import compiled

DRAFTS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}


class Score(NamedTuple):
    """Tests with the right and the wrong verdict, and those whose schema is refused."""

    right: int
    wrong: int
    refused: int


def fetched(directory: Path) -> Path:
    """The directory of the tests, from the source package, which pip downloads."""
    options = ["--no-deps", "--no-binary", ":all:", "--quiet", "--dest", str(directory)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, "jsonschema"], check=True)
    (package,) = directory.glob("jsonschema-*.tar.gz")
    with tarfile.open(package) as archive:
        archive.extractall(directory, filter="data")
    return directory / package.name.removesuffix(".tar.gz") / "json" / "tests"


def score(tests: Path, draft: str) -> Score:
    """Judge the required tests of a draft as the canonizer judges records."""
    verdicts = list(_verdicts(tests, draft))
    return Score(verdicts.count(True), verdicts.count(False), verdicts.count(None))


def _verdicts(tests: Path, draft: str) -> Iterator[bool | None]:
    """For each test whether the verdict is right; None if its schema is refused (not an object, remote)."""
    for path in sorted((tests / draft).glob("*.json")):
        for group in json.loads(path.read_bytes()):
            is_valid = _validator(group["schema"], DRAFTS[draft])
            for test in group["tests"]:
                yield None if is_valid is None else is_valid(test["data"]) == test["valid"]


def _validator(schema: Any, draft: str) -> Any:
    if not isinstance(schema, dict):  # a registry holds objects
        return None
    document = {"$schema": draft, **schema}
    sha256 = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    key = SchemaKey("org.example", "test", FORMAT, 1, 0, 0)
    try:
        return compiled(Schema(key, Path("test"), document, sha256), SchemaRegistry()).is_valid
    except Failure:
        return None
