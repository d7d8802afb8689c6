"""What can be wrong with a registry: each finding has its file, its line where one is known, and a rule's name.

    metadata           the metadata is not YAML, or lacks what every transform must say
    id                 the id is not the one that the file's place gives, or the place gives none
    version            a versioned transform lies in the directory of another version
    checksum           the spec's bytes are not those that the metadata names, or it names none
    invalid            the spec is no JSONata expression, or cannot be read
    missing            a file or schema that is referred to is not there
    golden             a golden test fails, or its files are not as they should be
    no_golden          a transform without any golden test
    orphan             a spec that no metadata names
    schema_path        a file below the schemas whose place is not {vendor}/{name}/{format}/{version}, or taken
    schema_self        a self-describing schema that describes another place
    schema_invalid     not JSON, or not a valid schema of its own draft
    schema_limit       checking a schema takes more time or memory than a worker may have
    schema_ref         a `$ref` that cannot be resolved
    schema_fields      x-key, x-text, x-time, x-title or x-volatile name a property that the schema does not have

`checks.transforms` and `checks.schemas` find them; `can registry validate` prints them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from lorchestra.base.errors import Failure, visible

P = ParamSpec("P")
T = TypeVar("T")


class Finding(NamedTuple):
    """One fault of a registry. Line 0: the whole file."""

    file: Path
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        return visible(f"{where}: {self.rule}: {self.message}")


def attempt(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T | None, Failure | None]:
    """What a call returns, or the failure that it raises."""
    try:
        return call(*args, **kwargs), None
    except Failure as failure:
        return None, failure
