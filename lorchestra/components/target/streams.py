"""The streams of one run: one raw file each, with counts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs

from lorchestra.base.errors import Code, Failure
from lorchestra.records import names
from lorchestra.storage import atomic, private

_COPY = 1024 * 1024


class Stream:
    """One stream: what its SCHEMA message declares, the new content of its raw file, and counts."""

    def __init__(self, path: Path | None) -> None:
        """`path` is the raw file; None discards the records, which are still counted."""
        self.path = path
        self.key_properties: list[str] = []
        self.counts = {"records": 0, "discarded": 0, "violations": 0, "unchecked": 0}
        self._schema: Any = None
        self._file: atomic.AtomicFile | None = None
        self._lines = bytearray()  # not written to the file yet: a call per record costs more than the write

    def declare(self, message: Mapping[str, Any]) -> None:
        """Take over a SCHEMA message. References outside the schema are not fetched: such a schema is not applied."""
        key = message.get("key_properties") or []
        self.key_properties = [name for name in key if isinstance(name, str)] if isinstance(key, list) else []
        try:
            schema = message.get("schema")
            self._schema = jsonschema_rs.validator_for(schema, retriever=_refuse) if isinstance(schema, dict) else None
        except Exception:
            self._schema = None  # its records are counted as unchecked

    def add(self, text: bytes, record: dict[str, Any]) -> None:
        """Add one record; one that violates the stream's schema is kept and counted."""
        if self.path is None:
            self.counts["discarded"] += 1
            return
        if self._file is None:
            self._file = _continue(self.path)
        self._lines += text
        self._lines += b"\n"
        if len(self._lines) >= _COPY:
            self._flush()
        self.counts["records"] += 1
        if self._schema is None:
            self.counts["unchecked"] += 1
        elif not _valid(self._schema, record):
            self.counts["violations"] += 1

    def report(self) -> dict[str, Any]:
        """What the report file says about the stream, see docs/contracts.md."""
        return {"file": self.path.name if self.path else None, "key_properties": self.key_properties, **self.counts}

    def finish(self) -> list[atomic.AtomicFile]:
        """The complete uncommitted file, if there is one. The next record starts another."""
        self._flush()
        file, self._file = self._file, None
        return [file] if file else []

    def discard(self) -> None:
        """Remove what was not committed."""
        self._lines.clear()
        if self._file:
            self._file.discard()
        self._file = None

    def _flush(self) -> None:
        if self._file and self._lines:
            self._file.write(bytes(self._lines))
            self._lines.clear()


class Streams:
    """All streams of one run."""

    def __init__(self, output: Path, date: str | None, mapping: Mapping[str, str | None]) -> None:
        """For the arguments see `settings.Settings`."""
        self._output, self._date, self._mapping = output, date, mapping
        self.by_name: dict[str, Stream] = {}

    def get(self, name: object, number: int) -> Stream:
        """The stream of a message. Raises Failure(NOT_JSONL | CONFIG)."""
        if not isinstance(name, str) or not name:
            raise Failure(Code.NOT_JSONL, f"input: line {number} names no stream")
        if name not in self.by_name:
            self.by_name[name] = Stream(self._path(name, number))
        return self.by_name[name]

    def commit(self) -> None:
        """Make every record so far durable under its file's name. Raises Failure(NO_SPACE | PERMISSION)."""
        files = [file for stream in self.by_name.values() for file in stream.finish()]
        try:
            atomic.commit(files)
        finally:
            for file in files:
                file.discard()

    def discard(self) -> None:
        """Remove what was not committed."""
        for stream in self.by_name.values():
            stream.discard()

    def _path(self, name: str, number: int) -> Path | None:
        if self._date is None:
            return self._output / names.stream_file(name)
        raw = self._mapping.get(name, name)
        if raw is None:
            return None
        path = self._output / names.DatedName(raw, self._date).file
        if names.parse_raw(path.name) is None:
            message = f"the stream at line {number} has a name that no raw file can have"
            raise Failure(Code.CONFIG, message, advice="Give it one with --stream STREAM=NAME.")
        if any(stream.path == path for stream in self.by_name.values()):
            message = f"the stream at line {number} has the raw file of another stream"
            raise Failure(Code.CONFIG, message, advice="Give each stream a name of its own with --stream STREAM=NAME.")
        return path


def _continue(path: Path) -> atomic.AtomicFile:
    """A new version of a raw file that starts with its present content. The caller holds the directory's lock."""
    for abandoned in path.parent.glob(f".{path.name}.*{private.TEMPORARY}"):
        abandoned.unlink(missing_ok=True)
    file = atomic.AtomicFile(path)
    if path.exists():
        with path.open("rb") as present:
            shutil.copyfileobj(present, file, _COPY)
    return file


def _valid(schema: Any, record: dict[str, Any]) -> bool:
    try:
        return bool(schema.is_valid(record))
    except Exception:  # a value that the validator cannot represent
        return False


def _refuse(_uri: str) -> Any:
    raise ValueError("references are not fetched")
