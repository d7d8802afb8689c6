"""A line read strictly: what is JSON to everybody is understood in one way, or it is set aside with the reason."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from lorchestra.components.canonizer.record.rules import NotJson, Rejected, Rule, Stage
from lorchestra.records.jsonl import has_duplicate_key

DEEPEST = 100
LARGEST_EXACT = 2**53
_NO_MARKS = bytes(set(range(256)) - set(b'"[{'))
_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_SIXTEEN_DIGITS = b"0" * 16
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_BRACKET = re.compile(rb"[\[\]{}]")


def parse(line: bytes) -> tuple[Any, bool]:
    """A line's value, and whether an integer in it is beyond what a double holds exactly.

    Raises Rejected where the line is JSON but means different things to different readers, NotJson where it is none.
    """
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        refused = True
    else:
        refused = False
    if refused:
        raise _diagnosis(line)
    marks = line.translate(None, _NO_MARKS)
    quotes = marks.count(b'"')
    if len(marks) - quotes > DEEPEST and _depth(line) > DEEPEST:
        raise Rejected(Stage.PARSE, Rule.TOO_DEEP)
    # Each key and each string has two quotes. Fewer of them in what was understood: a key stood there twice.
    as_understood = orjson.dumps(document).count(b'"')
    if (quotes != as_understood or b"\\u0022" in line) and has_duplicate_key(line):
        raise Rejected(Stage.PARSE, Rule.DUPLICATE_KEY)
    # Only what has sixteen digits in a row can hold such an integer.
    return document, _SIXTEEN_DIGITS in line.translate(_AS_ZEROS) and _has_inexact_integer(line)


def _diagnosis(line: bytes) -> Exception:
    """Why the strict reader refused a line: a rule where another reader takes it for JSON, else NotJson."""
    if _depth(line) > DEEPEST:
        return Rejected(Stage.PARSE, Rule.TOO_DEEP)
    try:
        json.loads(line.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return NotJson()
    return Rejected(Stage.PARSE, Rule.LONE_SURROGATE if _LONE_SURROGATE.search(line) else Rule.NUMBER_RANGE)


def _refuse_constant(_: str) -> Any:
    raise ValueError  # NaN, Infinity


def _depth(line: bytes) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", line)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _has_inexact_integer(line: bytes) -> bool:
    found = False

    def note(digits: str) -> None:
        nonlocal found
        found = found or len(digits) > 17 or abs(int(digits)) > LARGEST_EXACT

    json.loads(line, parse_int=note)
    return found
