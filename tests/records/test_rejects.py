"""A line of a rejects file: the record is restored byte for byte."""

from __future__ import annotations

import json

import pytest

from lorchestra.records import rejects


@pytest.mark.parametrize(
    "record",
    [
        b'{"a": 1.10, "b": 12345678901234567890}',
        b'{"x":",\\"record\\":{}"}',
        rejects.text(b'{"torn": \xff'),
        b"[1 , 2]",
    ],
)
def test_a_record_is_restored_byte_for_byte(record: bytes) -> None:
    line = rejects.line('mail-"a"-20251112.jsonl', 7, "schema_in", "required", "/properties/a~1b/required", record)
    assert rejects.record(line) == json.loads(record)
    assert record in line
    whole = json.loads(line)
    assert (whole["input"], whole["line"], whole["rule"]) == ('mail-"a"-20251112.jsonl', 7, "required")


def test_a_deeply_nested_record_is_read() -> None:
    """orjson reads 1,024 levels; the line around the record adds one."""
    record = b"[" * 1024 + b"]" * 1024
    assert rejects.record(rejects.line("a", 1, "index", "type", None, record))
