"""The grammar of names. A name is checked on input and again before it becomes a path.

Raw extracts:      {source}-{entity}-{account}-{date}.jsonl     gmail-messages-acct1-personal-20251112.jsonl
                   or compressed: .jsonl.gz
Canonical files:   {type}-{date}.jsonl                          clinical_session-20251112.jsonl
Batches:           {type}.{sequence}-{date}.jsonl               email.0000000042-20251112.jsonl
Transforms:        {folder}/{name} or {folder}/{name}@{version} email/gmail_to_canonical_v1
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, unquote

SUFFIX = ".jsonl"
COMPRESSED = ".gz"
"""What follows in the name of a compressed raw extract, see records/compressed.py."""
BATCHES = "*.*-*.jsonl"
"""A glob pattern that matches the names of batches, and no canonical file's."""
_STEM = re.compile(r"[a-z0-9][a-z0-9_]*(?:[-.][a-z0-9_]+)*")
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")  # not \d, which matches the digits of every script
_FILE = r"[A-Za-z0-9_]+(?:[-.][A-Za-z0-9_]+)*"
_TRANSFORM = re.compile(rf"{_FILE}(?:/{_FILE})*(?:@(?:latest|[0-9]+\.[0-9]+\.[0-9]+|[0-9]+-[0-9]+-[0-9]+))?")
_LONGEST_STEM = 120
_LONGEST_TRANSFORM = 200


class DatedName(NamedTuple):
    """The two parts of a file's name. The date is text, such as `20251112`; it is never today's date."""

    stem: str
    date: str

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{self.stem}-{self.date}{SUFFIX}"


class BatchName(NamedTuple):
    """The name of a batch of a stream: its type, its number among the batches of all types, and the day it came."""

    type: str
    sequence: int
    date: str

    @property
    def file(self) -> str:
        """The name, in the form of a file's."""
        return f"{self.type}.{self.sequence:010d}-{self.date}{SUFFIX}"

    @property
    def order(self) -> str:
        """Sorts batches by day and number, and those of a day after its canonical file."""
        return f"{self.date}:{self.sequence:010d}"


class Delivery(NamedTuple):
    """What the store knows from the name of a canonical file or batch. The greatest `order` is the newest."""

    type: str
    order: str


def parse_raw(file: str) -> DatedName | None:
    """The parts of the name of a raw extract, compressed or not; None if it does not follow the convention."""
    return _parse(plain(file), is_source)


def parse_canonical(file: str) -> DatedName | None:
    """The parts of a canonical file's name; None if it does not follow the convention."""
    return _parse(file, is_type)


def parse_batch(file: str) -> BatchName | None:
    """The parts of a batch's name; None if it is not one."""
    stem, _, date = file.removesuffix(SUFFIX).rpartition("-")
    kind, _, digits = stem.partition(".")
    if not (is_type(kind) and digits.isascii() and digits.isdecimal() and is_date(date)):
        return None
    name = BatchName(kind, int(digits), date)
    return name if name.file == file else None


def parse_delivery(file: str) -> Delivery | None:
    """Type and order of a canonical file or a batch; None if the name is neither's."""
    if canonical := parse_canonical(file):
        return Delivery(canonical.stem, canonical.date)
    batch = parse_batch(file)
    return Delivery(batch.type, batch.order) if batch else None


def source_of(path: str) -> str:
    """The source that a raw extract comes from, by its file name; empty if it does not follow the convention."""
    name = parse_raw(path.rpartition("/")[2])
    return name.stem if name else ""


def plain(file: str) -> str:
    """The name that a raw extract has, or would have, without compression."""
    return file.removesuffix(COMPRESSED) if file.endswith(SUFFIX + COMPRESSED) else file


def stream_file(stream: str) -> str:
    """The name of a file with the records of one stream that is not mapped to a raw name yet.

    Characters that lead out of a directory, hide the file or make its name a raw file's are percent-encoded.
    """
    text = quote(stream, safe="")
    if text.startswith("."):
        text = f"%2E{text[1:]}"
    if parse_raw(text + SUFFIX):
        text = "%2D".join(text.rsplit("-", 1))
    return text + SUFFIX


def stream_of(file: str) -> str:
    """The stream of such a file: the inverse of `stream_file`, which leaves other names as they are."""
    return unquote(file.removesuffix(SUFFIX))


def is_source(text: str) -> bool:
    """Whether a text can name a source: `{source}-{entity}-{account}`, in lower case."""
    return len(text) <= _LONGEST_STEM and _STEM.fullmatch(text) is not None


def is_type(text: str) -> bool:
    """Whether a text can name a canonical type."""
    return _TYPE.fullmatch(text) is not None


def is_transform(text: str) -> bool:
    """Whether a text can name a transform. Such a name cannot refer to a file outside the registry."""
    return len(text) <= _LONGEST_TRANSFORM and _TRANSFORM.fullmatch(text) is not None


def is_date(text: str) -> bool:
    """Whether a text is a calendar date such as `20251112`."""
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    year, month, day = map(int, match.groups())
    return year > 0 and 1 <= month <= 12 and 1 <= day <= _days(year, month)


def _days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _parse(file: str, is_stem: Callable[[str], bool]) -> DatedName | None:
    stem, dash, date = file.removesuffix(SUFFIX).rpartition("-")
    if not (file.endswith(SUFFIX) and dash and is_date(date) and is_stem(stem)):
        return None
    return DatedName(stem, date)
