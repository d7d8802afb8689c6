"""Which canonical files there should be, and from what: a pure function of file names and mappings.

There is one canonical file per type and date, however many raw files it is built from. The date is the one in the raw
file's name. A raw file may match mappings of several types; two mappings of one type for one file are an error.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lorchestra.base.errors import Code, Failure
from lorchestra.records import names, targets


class Rule(NamedTuple):
    """A mapping whose type is known: raw files that match the pattern become records of the type."""

    pattern: str
    transform: str
    type: str


class Input(NamedTuple):
    """A raw file and the transform it goes through."""

    name: str
    transform: str


class Target(NamedTuple):
    """A canonical file and its inputs in the order of their names."""

    type: str
    date: str
    inputs: tuple[Input, ...]

    @property
    def name(self) -> str:
        """As tasks are called: `email-20251112`."""
        return f"{self.type}-{self.date}"

    @property
    def file(self) -> str:
        """The canonical file's name."""
        return targets.output_name(self.name)


class Plan(NamedTuple):
    """The targets by type and date, and the files that belong to none.

    `unmatched` are raw names that match no mapping; `unnamed` counts files that are not named like raw files.
    """

    targets: tuple[Target, ...]
    unmatched: tuple[str, ...]
    unnamed: int


def make(raw_names: Iterable[str], rules: Sequence[Rule]) -> Plan:
    """Sort raw names into canonical targets.

    Raises Failure(CONFIG) where two rules of one type match the same file.
    """
    matchers = [(re.compile(fnmatch.translate(rule.pattern)).match, rule) for rule in rules]
    inputs: dict[tuple[str, str], list[Input]] = {}
    unmatched: list[str] = []
    unnamed = 0
    for name in sorted(raw_names):
        parsed = names.parse_raw(name)
        if parsed is None:
            unnamed += 1
            continue
        matching = [rule for matches, rule in matchers if matches(name) or matches(names.plain(name))]
        if not matching:
            unmatched.append(name)
        if len(matching) > 1:
            _refuse_contradiction(name, matching)
        for rule in matching:
            inputs.setdefault((rule.type, parsed.date), []).append(Input(name, rule.transform))
    planned = tuple(Target(type_, date, tuple(inputs[type_, date])) for type_, date in sorted(inputs))
    return Plan(planned, tuple(unmatched), unnamed)


def can_match(pattern: str) -> bool:
    """Whether a source_pattern can match the name of any raw file; `[gmail.jsonl` and `*gmail*.json` cannot."""
    simple = re.sub(r"\[!?\]?[^\]]*\]", "?", pattern)  # a bracket expression matches one character
    if not re.fullmatch(r"[a-z0-9_.*?-]*", simple):
        return False
    if "*" not in simple and "?" not in simple:
        return names.parse_raw(pattern) is not None
    end = simple.rpartition("*")[2] if "*" in simple else simple
    return any(
        all(given in ("?", expected) for given, expected in zip(reversed(end), reversed(suffix), strict=False))
        for suffix in (names.SUFFIX, names.SUFFIX + names.COMPRESSED)
    )


def _refuse_contradiction(name: str, matching: Sequence[Rule]) -> None:
    seen: dict[str, Rule] = {}
    for rule in matching:
        if rule.type in seen:
            raise Failure(
                Code.CONFIG,
                f"{name} matches two mappings of the type {rule.type}: "
                f'"{seen[rule.type].pattern}" and "{rule.pattern}"',
                advice="Make one pattern narrower, or give one mapping another output_name.",
            )
        seen[rule.type] = rule
