"""Which raw file the records of a stream go to. One raw file holds one stream.

A loader writes one file per stream. Its name is either that of a raw file (`{source}-{date}.jsonl`), which it keeps,
or the name of the stream (`messages.jsonl`). A source with one stream needs no setting; several streams are declared:

    streams: {messages: gmail-messages-acct1, message_list: null}      null: discard the stream and count its records
    streams: {messages: "{source}", threads: "{source}-threads"}       for an entry that stands for several sources
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lorchestra.base.errors import Code, Failure, visible
from lorchestra.records import names
from lorchestra.records.names import SUFFIX

_SOURCE = "{source}"


class Destination(NamedTuple):
    """Where a staged file's records go: the name of a raw file, or nowhere (`raw` is None: the stream is discarded)."""

    raw: str | None


@dataclass(frozen=True)
class Streams:
    """The streams of one source. `date` is the run's (YYYYMMDD); `declared` is the setting `streams`, if there is one.

    `named_only`: the source must use its own name for its files, and has no streams unless they are declared.
    """

    source: str
    date: str
    declared: Mapping[str, str | None] | None = None
    named_only: bool = False

    def destinations(self, files: Iterable[str]) -> dict[str, Destination | None]:
        """By file name: its destination, or None for a file that belongs to no stream of this source.

        Raises Failure(CONFIG), with the lines to add to pipeline.yaml, if there are several undeclared streams.
        """
        found = {file: self._declared(names.plain(file)) or self._named(names.plain(file)) for file in files}
        undeclared = sorted(file for file, place in found.items() if place is None and self._may_be_stream(file))
        if not undeclared:
            return found
        others = sorted(place.raw for place in found.values() if place and place.raw)
        if len(undeclared) == 1 and not self.declared and not others:
            return found | {undeclared[0]: Destination(self._raw(self.source))}
        raise self._refusal([names.stream_of(names.plain(file)) for file in undeclared])

    def accepts(self, file: str) -> bool:
        """Whether a file is named as a raw file or as a declared stream."""
        return (self._declared(names.plain(file)) or self._named(names.plain(file))) is not None

    def _declared(self, file: str) -> Destination | None:
        stream, date = names.stream_of(file), self.date
        parsed = names.parse_raw(file)
        if parsed and stream not in (self.declared or {}):
            stream, date = parsed.stem, parsed.date
        if not self.declared or not file.endswith(SUFFIX) or stream not in self.declared:
            return None
        raw = self.declared[stream]
        return Destination(None if raw is None else names.DatedName(raw.replace(_SOURCE, self.source), date).file)

    def _named(self, file: str) -> Destination | None:
        parsed = names.parse_raw(file)
        if parsed is None or (self.named_only and parsed.stem != self.source):
            return None
        return Destination(file)

    def _may_be_stream(self, file: str) -> bool:
        return not self.named_only and names.plain(file).endswith(SUFFIX) and names.parse_raw(file) is None

    def _raw(self, stem: str) -> str:
        return names.DatedName(stem, self.date).file

    def _refusal(self, undeclared: list[str]) -> Failure:
        lines = [f"{name}: {_yaml(raw)}" for name, raw in (self.declared or {}).items()]
        lines += [f"{visible(name)}: {self.source}-{_slug(name)}" for name in undeclared]
        advice = "Add to this source in pipeline.yaml (null discards a stream):\n    streams:\n"
        return Failure(
            Code.CONFIG,
            f"source {self.source} delivers streams that are not declared: {', '.join(map(visible, undeclared))}; "
            "nothing was published",
            advice=advice + "\n".join(f"      {line}" for line in lines),
        )


def _yaml(raw: str | None) -> str:
    return "null" if raw is None else f'"{raw}"' if raw.startswith("{") else raw


def _slug(stream: str) -> str:
    """A stream's name as a part of a raw name."""
    return re.sub(r"[^a-z0-9]+", "_", stream.lower()).strip("_") or "stream"
