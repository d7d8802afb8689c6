"""Rows on stdout: a table for people, json, jsonl or csv for programs.

Content from a record reaches a terminal only with its control characters written out: they could rewrite the screen
or type into the shell.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TextIO

import orjson

FORMATS = ("table", "json", "jsonl", "csv")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_WIDEST = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --format."""
    parser.add_argument("--format", choices=FORMATS, default="table", help="output format (default: table)")


def positive(text: str) -> float:
    """A number of seconds, for argparse."""
    number = float(text)
    if not 0 < number < 1e9:
        raise ValueError
    return number


def count(text: str) -> int:
    """How many, for argparse; -1 for `all`."""
    if text == "all":
        return -1
    number = int(text)
    if not 0 < number <= 1_000_000_000:
        raise ValueError
    return number


def offset(text: str) -> int:
    """How many to skip, for argparse."""
    return 0 if text == "0" else count(text.replace("all", "-"))


def day(text: str) -> date:
    """A date as 2025-11-01 or 20251101, for argparse."""
    return date.fromisoformat(text)


def moment(milliseconds: int | None) -> str:
    """A moment as ISO 8601 in UTC, to the second; empty if there is none."""
    if milliseconds is None:
        return ""
    return (_EPOCH + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def visible(text: str) -> str:
    """A text with its control characters escaped, as JSON would: in a JSON text they mean the same as before."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def visible_lines(text: str) -> str:
    """As `visible`, for a text that is laid out in lines."""
    return "\n".join(map(visible, text.split("\n")))


def write_raw(stream: TextIO, line: bytes) -> None:
    """Write a record's own bytes; to a terminal, with its control characters escaped."""
    if stream.isatty():
        stream.write(visible(line.decode()) + "\n")
        return
    stream.flush()
    stream.buffer.write(line + b"\n")


def write(stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Any]], form: str) -> None:
    """Write rows in one of FORMATS."""
    {"table": _table, "json": _json, "jsonl": _jsonl, "csv": _csv}[form](stream, columns, rows)


def _table(stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    cells = [tuple(columns), *(tuple(_cell(value) for value in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        stream.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


def _cell(value: Any) -> str:
    text = visible("" if value is None else _plain(value))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _plain(value: Any) -> str:
    return value.hex().upper() if isinstance(value, bytes) else str(value)


def _json(stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    separator = "[\n"
    for row in rows:
        stream.write(separator + _object(columns, row))
        separator = ",\n"
    stream.write("[]\n" if separator == "[\n" else "\n]\n")


def _jsonl(stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    for row in rows:
        stream.write(_object(columns, row) + "\n")


def _object(columns: Sequence[str], row: Sequence[Any]) -> str:
    named = dict(zip(columns, row, strict=True))
    return visible(orjson.dumps(named, default=_plain).decode())


def _csv(stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    shown = visible if stream.isatty() else str
    writer.writerows(["" if value is None else shown(_plain(value)) for value in row] for row in rows)
