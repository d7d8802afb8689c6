"""Places in a transform's spec, for its author. A spec holds nothing of a record, so its text may be shown."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\$?[A-Za-z_]\w*|:=|\.\.|~>|!=|<=|>=|\*\*|\S")
_LONGEST = 40


def line_and_column(spec: str, position: int) -> tuple[int, int]:
    """Line and column, from 1, of a position that counts characters from 0."""
    before = spec[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


def token(spec: str, position: int) -> str:
    """The name or operator at a position; "" at the end of the spec."""
    found = _TOKEN.match(spec, position)
    return found[0][:_LONGEST] if found else ""


def place(spec: str, position: int) -> str | None:
    """Line, column and token, as `7:12 $number`; None for a position outside the spec."""
    if not 0 <= position <= len(spec):
        return None
    start = position - (position > 0 and spec[position - 1] == "$")
    line, column = line_and_column(spec, start)
    return f"{line}:{column} {token(spec, start)}".rstrip()
