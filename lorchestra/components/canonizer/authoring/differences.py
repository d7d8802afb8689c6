"""Where two JSON values differ, path by path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

NOTHING: Any = type("Nothing", (), {"__repr__": lambda _: "nothing"})()
"""A missing value."""
_LONGEST = 300


class Difference(NamedTuple):
    """A place (a JSON Pointer, RFC 6901) and the values that differ there."""

    path: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.path or '/'}: expected {shown(self.expected)}, found {shown(self.found)}"


def differences(expected: Any, found: Any, path: str = "") -> Iterator[Difference]:
    """The differences of two JSON values in the order of their paths. `1` is `1.0`, but not `true`."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() | found.keys()):
            inner = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            yield from differences(expected.get(key, NOTHING), found.get(key, NOTHING), inner)
    elif isinstance(expected, list) and isinstance(found, list):
        for index in range(max(len(expected), len(found))):
            yield from differences(_at(expected, index), _at(found, index), f"{path}/{index}")
    elif expected != found or isinstance(expected, bool) != isinstance(found, bool):
        yield Difference(path, expected, found)


def shown(value: Any) -> str:
    """A value as one line of JSON in ASCII, cut if it is long."""
    if value is NOTHING:
        return "nothing"
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else NOTHING
