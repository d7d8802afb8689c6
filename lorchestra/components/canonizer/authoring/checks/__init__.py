"""What can be wrong with a registry: each finding has its file, its line if one is known, and the name of a rule.

`checks.transforms`, `checks.specs`, `checks.schemas` and `checks.lint` find them; `can registry validate` prints them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from lorchestra.base.errors import Failure, visible

P = ParamSpec("P")
T = TypeVar("T")


class Severity(StrEnum):
    """How much a finding matters.

    error: a record would be handled wrongly or not at all. warning: something has no effect, or surprises.
    info: worth knowing, nothing to change.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


RULES: Mapping[str, tuple[Severity, str]] = {
    "metadata": (Severity.ERROR, "the metadata is not YAML, or not valid"),
    "id": (Severity.ERROR, "the id does not match the file's path, or the path cannot be a transform's name"),
    "version": (Severity.ERROR, "a versioned transform is in the directory of another version"),
    "checksum": (Severity.ERROR, "the spec does not match the checksum in the metadata, or the metadata has none"),
    "invalid": (Severity.ERROR, "the spec is not a JSONata expression, or cannot be read"),
    "missing": (Severity.ERROR, "a file or schema that is referred to does not exist"),
    "name": (Severity.ERROR, "the spec uses a function or variable that is not defined, in any branch"),
    "regex": (Severity.ERROR, "the engine does not accept a regular expression of the spec, in any branch"),
    "golden": (Severity.ERROR, "a golden test fails, or its files are invalid"),
    "no_golden": (Severity.ERROR, "a transform has no golden test"),
    "unused_test": (Severity.WARNING, "no golden test uses this file"),
    "engine": (Severity.WARNING, "another engine gives a different result for a golden test"),
    "orphan": (Severity.ERROR, "no metadata refers to this spec"),
    "schema_path": (
        Severity.ERROR,
        "the path of a schema is not {vendor}/{name}/{format}/{version}, or another file is read instead",
    ),
    "schema_self": (Severity.ERROR, "the `self` block of a schema does not match its path"),
    "schema_invalid": (Severity.ERROR, "not JSON, or not a valid schema of its draft"),
    "schema_limit": (Severity.ERROR, "checking a schema takes more time or memory than a worker may use"),
    "schema_ref": (Severity.ERROR, "a `$ref` that cannot be resolved"),
    "schema_fields": (
        Severity.ERROR,
        "x-key, x-text, x-time, x-title or x-volatile name a property that the schema does not have",
    ),
    "schema_keyword": (Severity.ERROR, "a keyword is probably misspelled, or unknown to the draft: it has no effect"),
    "schema_range": (Severity.ERROR, "a minimum is greater than its maximum"),
    "schema_required": (Severity.ERROR, "a closed schema requires a property that it forbids"),
    "schema_enum": (Severity.ERROR, "an enumeration is empty, or has no value of the type"),
    "schema_pattern": (Severity.ERROR, "a pattern is not a regular expression"),
    "schema_type": (Severity.WARNING, "a keyword has no effect on values of the type"),
    "schema_format": (Severity.WARNING, "a format is unknown, or the draft does not check it: it has no effect"),
    "schema_version": (
        Severity.WARNING,
        "versions are missing between two others, or a version number understates a change",
    ),
}
"""Each rule's severity, unless a finding says otherwise, and its meaning."""


class Finding(NamedTuple):
    """One fault of a registry. Line 0: the whole file. `level` replaces the severity of the rule."""

    file: Path
    line: int
    rule: str
    message: str
    level: Severity | None = None

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return self.level or RULES[self.rule][0]

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        level = "" if self.severity is Severity.ERROR else f"{self.severity}: "
        return visible(f"{where}: {level}{self.rule}: {self.message}")

    def as_json(self) -> dict[str, str | int]:
        """For `--format json`."""
        return {
            "file": visible(str(self.file)),
            "line": self.line,
            "severity": self.severity,
            "rule": self.rule,
            "message": visible(self.message),
        }


def attempt(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T | None, Failure | None]:
    """What a call returns, or the failure that it raises."""
    try:
        return call(*args, **kwargs), None
    except Failure as failure:
        return None, failure
