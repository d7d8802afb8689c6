"""The command line of `target-lorchestra`."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from lorchestra.base import program
from lorchestra.base.errors import Code, Failure
from lorchestra.base.wording import counted
from lorchestra.components.target import messages, settings
from lorchestra.components.target.streams import Streams
from lorchestra.records import jsonl
from lorchestra.storage import private

# A commit copies the file's present content, so the first commits are small and the distance between them grows.
_FIRST_COMMIT = 64 * 1024 * 1024


def main() -> int:
    """Entry point of the program."""
    return program.run("target-lorchestra", partial(_main, sys.argv[1:]))


def _main(arguments: list[str]) -> int:
    chosen = settings.read(arguments)
    private.make_directory(chosen.output)
    lock = _lock(chosen.output)
    streams = Streams(chosen.output, chosen.date, chosen.streams)
    run, source = _Run(streams, chosen.report), _Input(sys.stdin.buffer)
    try:
        run.all(source)
    finally:
        streams.discard()
        os.close(lock)
    sys.stderr.write(f"target-lorchestra: {_summary(streams)}\n")
    if source.interrupted:
        raise KeyboardInterrupt
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


class _Input:
    """Standard input. A signal ends it, so that a program that is stopped keeps what it received."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.interrupted = self.torn = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._end)

    def readline(self, limit: int) -> bytes:
        """The next line. If the input ends within a line, the writer was stopped: the rest is dropped and noted."""
        line = self._stream.readline(limit)
        if line.endswith(b"\n"):
            return line
        if line and len(line) < limit and not messages.is_complete(line):
            self.torn = True
            return b""
        return line

    def _end(self, _signal: int, _frame: object) -> None:
        """Let the pending read and all later ones find the end of the input."""
        self.interrupted = True
        os.dup2(os.open(os.devnull, os.O_RDONLY), self._stream.fileno())


class _Run:
    """Reads messages in order. `_state` is the last STATE that was not printed yet."""

    def __init__(self, streams: Streams, report: Path | None) -> None:
        self._streams, self._report = streams, report
        self._state: bytes | None = None
        self._pending, self._limit = 0, _FIRST_COMMIT

    def all(self, source: _Input) -> None:
        """Process the input. Everything before the first fault is kept. Raises Failure."""
        number = 0
        try:
            for number, line in jsonl.read(source):
                self._take(number, line)
        except Failure as failure:
            if failure.code in (Code.NOT_JSONL, Code.CONFIG):
                self._commit()
            raise
        self._commit()
        if source.torn and not source.interrupted:
            advice = "The tap was stopped: read its messages. Everything before this line was kept."
            raise Failure(Code.NOT_JSONL, f"the input ends within line {number + 1}", advice=advice)

    def _take(self, number: int, line: bytes) -> None:
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

    def _commit(self) -> None:
        """Make the keys and the records durable, then print the last STATE."""
        if self._report:
            report = {"streams": {name: stream.report() for name, stream in self._streams.by_name.items()}}
            private.write(self._report, orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
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
            self._commit()
            self._limit *= 2


def _summary(streams: Streams) -> str:
    totals = {name: sum(stream.counts[name] for stream in streams.by_name.values()) for name in _COUNTS}
    counts = ", ".join(f"{count:,} {name}" for name, count in totals.items())
    return f"{counted(len(streams.by_name), 'stream')}, {counts}"


_COUNTS = ("records", "discarded", "violations", "unchecked")
