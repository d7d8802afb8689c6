"""Strict parsing: a line must mean the same to every JSON parser, otherwise the record is rejected."""

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
    """A line's value, and whether it has an integer that a double cannot hold exactly.

    Raises Rejected if parsers would read the line differently, NotJson if it is not JSON.
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
    # Each key and each string has two quotes. If the parsed value has fewer, a key was duplicated.
    as_understood = orjson.dumps(document).count(b'"')
    if (quotes != as_understood or b"\\u0022" in line) and has_duplicate_key(line):
        raise Rejected(Stage.PARSE, Rule.DUPLICATE_KEY)
    # Only a line with sixteen digits in a row can have such an integer.
    return document, _SIXTEEN_DIGITS in line.translate(_AS_ZEROS) and _has_inexact_integer(line)


def _diagnosis(line: bytes) -> Exception:
    """Why the strict parser refused a line: a rule if other parsers accept it, otherwise NotJson."""
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
