"""Singer messages as lines of text. Format: the Singer specification, https://github.com/singer-io/getting-started."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from lorchestra.base.errors import Code, Failure

# A tap normally writes "record" third and only these keys after it. Then the record's own text can be kept.
_BEFORE = re.compile(rb'\s*\{\s*"type"\s*:\s*"RECORD"\s*,\s*"stream"\s*:\s*"[^"\\]*"\s*,\s*"record"\s*:\s*')
_AFTER = re.compile(rb'\}(?:\s*,\s*"(?:version|time_extracted)"\s*:\s*(?:"[^"\\]*"|\d+|null))*\s*\}\s*$')
_LONGEST_TAIL = 200


def parse(line: bytes, number: int) -> dict[str, Any]:
    """The message in a line. Raises Failure(NOT_JSONL) with the line number if it is not a JSON object with a type."""
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        message = _lenient(line)
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Failure(Code.NOT_JSONL, f"input: line {number} is not a Singer message")
    return message


def is_complete(line: bytes) -> bool:
    """Whether a line without its end is a complete message: then only the newline is missing."""
    try:
        parse(line, 0)
    except Failure:
        return False
    return True


def record_text(line: bytes, record: dict[str, Any], number: int) -> bytes:
    """The record of a RECORD message as one line, as the tap wrote it.

    If the message has an unusual form, the record is written anew: the values are kept, except that a number with more
    digits than a double holds is rounded. Raises Failure(NOT_JSONL) if it cannot be written.
    """
    before = _BEFORE.match(line)
    after = _AFTER.search(line, max(before.end(), len(line) - _LONGEST_TAIL)) if before else None
    if before and after:
        text = line[before.end() : after.start() + 1]
        if _equal(text, record):
            return text
    try:
        return json.dumps(json.loads(line)["record"], separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        raise Failure(Code.NOT_JSONL, f"input: line {number} has a record that cannot be read") from None


def _equal(text: bytes, record: dict[str, Any]) -> bool:
    try:
        return bool(orjson.loads(text) == record)
    except orjson.JSONDecodeError:
        return False


def _lenient(line: bytes) -> Any:
    """A message that orjson refuses, such as one with NaN or a lone surrogate. None if it is no JSON either."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
