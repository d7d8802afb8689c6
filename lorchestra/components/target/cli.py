"""The command line of `target-lorchestra`."""

from __future__ import annotations

import argparse
import datetime
import fcntl
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from lorchestra import __version__
from lorchestra.base import commandline, program
from lorchestra.base.errors import Code, Failure
from lorchestra.components.target import messages
from lorchestra.components.target.streams import Streams
from lorchestra.records import jsonl, names
from lorchestra.storage import private

_ABOUT = """\
Write the records of a Singer tap to raw files: one file per stream, {stream}-{date}.jsonl, one record per line. STATE
is printed only after every record before it is durable. Only the owner can read the files."""
_EXAMPLE = """\
example:
  tap-gmail --config tap.json | target-lorchestra --output phi-data/raw --stream messages=gmail-messages-acct1"""
# A commit copies the file's present content, so the first commits are small and the distance between them grows.
_FIRST_COMMIT = 64 * 1024 * 1024


def main() -> int:
    """Entry point of the program."""
    return program.run("target-lorchestra", partial(_main, sys.argv[1:]))


def _main(arguments: list[str]) -> int:
    args = _parser().parse_args(arguments)
    private.make_directory(args.output)
    lock = _lock(args.output)
    streams = Streams(args.output, args.date, dict(args.stream or ()))
    run = _Run(streams)
    try:
        for number, line in jsonl.read(sys.stdin.buffer):
            run.take(number, line)
        run.commit()
    finally:
        streams.discard()
        os.close(lock)
    _report(streams, args.report)
    return 0


def _lock(directory: Path) -> int:
    """Lock the directory itself: a lock file would lie among the raw files. Raises Failure(BUSY)."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Failure(Code.BUSY, "another target-lorchestra writes to this directory") from None
    return descriptor


class _Run:
    """Reads messages in order. `_state` is the last STATE that was not printed yet."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._state: bytes | None = None
        self._pending, self._limit = 0, _FIRST_COMMIT

    def take(self, number: int, line: bytes) -> None:
        """Process one line. On a broken one, raise Failure(NOT_JSONL); what was not committed is not published."""
        message = messages.parse(line, number)
        kind = message["type"]
        if kind == "RECORD":
            self._record(message, number, line)
        elif kind == "STATE":
            self._state_message(message)
        elif kind == "SCHEMA":
            self._streams.get(message.get("stream"), number).declare(message)
        elif kind == "BATCH":
            advice = "Remove batch_config from the tap's settings, so that it sends RECORD messages."
            raise Failure(Code.NOT_JSONL, f"input: line {number} is a BATCH message, not supported", advice=advice)
        elif kind != "ACTIVATE_VERSION":  # raw files keep all versions
            raise Failure(Code.NOT_JSONL, f"input: line {number} has an unknown type of message")

    def commit(self) -> None:
        """Make the records durable, then print the last STATE."""
        self._streams.commit()
        if self._state is not None:
            sys.stdout.buffer.write(self._state + b"\n")
            sys.stdout.buffer.flush()
        self._state, self._pending = None, 0

    def _record(self, message: dict[str, Any], number: int, line: bytes) -> None:
        record = message.get("record")
        if not isinstance(record, dict):
            raise Failure(Code.NOT_JSONL, f"input: line {number} has no record")
        self._streams.get(message.get("stream"), number).add(messages.record_text(line, record, number), record)
        self._pending += len(line)

    def _state_message(self, message: dict[str, Any]) -> None:
        self._state = orjson.dumps(message.get("value"))
        if self._pending >= self._limit:
            self.commit()
            self._limit *= 2


def _report(streams: Streams, path: Path | None) -> None:
    report = {
        name: {"file": s.path.name if s.path else None, "key_properties": s.key_properties, **s.counts}
        for name, s in streams.by_name.items()
    }
    if path:
        private.write(path, orjson.dumps({"streams": report}, option=orjson.OPT_INDENT_2) + b"\n")
    totals = {name: sum(s.counts[name] for s in streams.by_name.values()) for name in _COUNTS}
    counts = ", ".join(f"{count:,} {name}" for name, count in totals.items())
    sys.stderr.write(f"target-lorchestra: {len(report)} streams, {counts}\n")


_COUNTS = ("records", "discarded", "violations", "unchecked")


def _parser() -> argparse.ArgumentParser:
    parser = commandline.Parser(prog="target-lorchestra", description=_ABOUT, epilog=_EXAMPLE)
    parser.add_argument("-V", "--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--output", type=commandline.path, required=True, metavar="DIR", help="the raw directory")
    parser.add_argument(
        "--date", type=_date, default=f"{datetime.date.today():%Y%m%d}", help="YYYYMMDD, default: today"
    )
    parser.add_argument("--report", type=commandline.path, metavar="FILE", help="write counts and keys per stream")
    help_ = "raw name of a stream; with nothing after = its records are discarded and counted"
    parser.add_argument("--stream", type=_stream, action="append", metavar="STREAM=NAME", help=help_)
    return parser


def _date(text: str) -> str:
    if not names.is_date(text):
        raise argparse.ArgumentTypeError("expected YYYYMMDD")
    return text


def _stream(text: str) -> tuple[str, str | None]:
    stream, separator, name = text.partition("=")
    if not stream or not separator:
        raise argparse.ArgumentTypeError("expected STREAM=NAME")
    return stream, name or None
