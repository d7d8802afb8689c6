"""A line of a rejects file: where and why a record was rejected, and the record itself. It is PHI.

    {"input": "gmail-....jsonl", "line": 7, "stage": "schema_in", "rule": "required",
     "schema_path": "/properties/payload/required", "record": {...}}

`stage` is `parse`, `schema_in`, `transform` or `schema_out` in the canonizer and `index` in the store. If a transform
failed and the engine says where, `"spec_place": "7:12 $number"` is the line, the column and the name in its spec.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

_RECORD = b',"record":'


def line(
    source: str,
    number: int,
    stage: str,
    rule: str,
    schema_path: str | None,
    record: bytes,
    spec_place: str | None = None,
) -> bytes:
    """A line with its line feed. `record` is JSON text, copied unchanged: parsing and formatting would change numbers.

    `source` is the name of the file that contains line `number` (from 1).
    """
    why = {"input": source, "line": number, "stage": stage, "rule": rule, "schema_path": schema_path}
    if spec_place:
        why["spec_place"] = spec_place
    return orjson.dumps(why)[:-1] + _RECORD + record + b"}\n"


def text(record: bytes) -> bytes:
    """A record as a JSON string, for a record that is not JSON, or that some parsers refuse."""
    return orjson.dumps(record.decode("utf-8", "replace"))


def record(of_line: bytes) -> Any:
    """The record in a line. It is parsed alone: the line around it could exceed the parser's nesting limit."""
    return orjson.loads(of_line.rstrip(b"\r\n").partition(_RECORD)[2][:-1])


def reason(of_line: bytes) -> dict[str, Any]:
    """Why the record in a line was rejected: the fields without the record; none if the line is damaged."""
    try:
        found = orjson.loads(of_line.partition(_RECORD)[0] + b"}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def reasons(path: Path) -> Iterator[dict[str, Any]]:
    """The reason of each line of a rejects file; a missing file has none. Raises OSError."""
    if path.exists():
        with path.open("rb") as file:
            yield from map(reason, file)
