"""The checks of a registry. Each finding has a file, a line if it is known, and the name of a rule:

    metadata           the metadata is not YAML, or not valid
    id                 the id does not match the file's path, or the path cannot be a transform's name
    version            a versioned transform is in the directory of another version
    checksum           the spec does not match the checksum in the metadata, or the metadata has none
    invalid            the spec is not a JSONata expression, or cannot be read
    missing            a file or schema that is referred to does not exist
    golden             a golden test fails, or its files are invalid
    no_golden          a transform has no golden test
    orphan             no metadata refers to this spec
    schema_path        the path of a schema is not {vendor}/{name}/{format}/{version}, or two files have the same name
    schema_self        the `self` block of a schema does not match its path
    schema_invalid     not JSON, or not a valid schema of its draft
    schema_limit       checking a schema takes more time or memory than a worker may use
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
    """One error in a registry. Line 0 stands for the whole file."""

    file: Path
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        return visible(f"{where}: {self.rule}: {self.message}")


def attempt(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T | None, Failure | None]:
    """The result of a call, or the Failure that it raises."""
    try:
        return call(*args, **kwargs), None
    except Failure as failure:
        return None, failure
