"""Messages in files: mbox (RFC 4155 and its dialects), Maildir, .eml, and Apple Mail's .emlx."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LARGEST = 256 * 1024 * 1024
"""The largest message in bytes; a larger one is not read."""
_FROM = b"From "
# The line that separates messages has a time. A line of a text that begins with "From " is quoted, or has none.
_SEPARATOR = re.compile(rb"From (?P<sender>\S*).*?(?P<date>(?:[A-Z][a-z]{2},? )?[A-Z][a-z]{2} .*\d\d:\d\d.*)")
_QUOTED = re.compile(rb">+From ")
_TAKEOUT = re.compile(rb"(\d{15,20})@xxx")
"""A Google Takeout writes the message's id in Gmail there, in decimal."""
_FLAGS = {"F": "STARRED", "D": "DRAFT", "T": "TRASH"}


@dataclass(frozen=True)
class Envelope:
    """What is known about a message from outside: its id in Gmail, labels, and when it came.

    `date` is text, of the separator in an mbox file. `changed` is the file's time in milliseconds since 1970.
    """

    changed: int
    id: str = ""
    date: str = ""
    labels: tuple[str, ...] = ()


def is_mbox(head: bytes) -> bool:
    """Whether a file that begins so is an mbox file."""
    return _SEPARATOR.match(head.partition(b"\n")[0]) is not None


def messages(file: BinaryIO, changed: int) -> Iterator[tuple[bytes | None, Envelope]]:
    """Each message of an mbox file; None instead of one that is larger than `LARGEST`."""
    envelope, size, blank, began = Envelope(changed), 0, True, False
    lines: list[bytes] = []
    while line := file.readline(LARGEST):
        separator = _SEPARATOR.match(line) if blank and line.startswith(_FROM) else None
        if separator:
            if began:
                yield _joined(lines, size), envelope
            envelope, lines, size, began = _envelope(separator, changed), [], 0, True
        else:
            size += len(line)
            if size <= LARGEST:
                lines.append(line[1:] if _QUOTED.match(line) else line)
            else:
                lines.clear()
        blank = not line.strip()
    if began:
        yield _joined(lines, size), envelope


def maildir_labels(path: Path) -> tuple[str, ...]:
    """The flags in a Maildir file's name (`:2,FRS`) as labels. https://cr.yp.to/proto/maildir.html"""
    _, marked, flags = path.name.rpartition(":2,")
    labels = [_FLAGS[flag] for flag in flags if flag in _FLAGS] if marked else []
    return tuple(labels if marked and "S" in flags else [*labels, "UNREAD"])


def emlx(content: bytes) -> bytes:
    """The message in a file of Apple Mail: its length in the first line, then the message, then properties."""
    length, _, rest = content.partition(b"\n")
    return rest[: int(length)] if length.strip().isdigit() and len(length) < 20 else content


def _joined(lines: list[bytes], size: int) -> bytes | None:
    return b"".join(lines) if size <= LARGEST else None


def _envelope(separator: re.Match[bytes], changed: int) -> Envelope:
    fields: Mapping[str, bytes] = separator.groupdict()
    number = _TAKEOUT.fullmatch(fields["sender"])
    date = fields["date"].decode("ascii", "replace").strip()
    # Other writers put the time there at which they wrote the file: it says less than the message's own headers.
    return Envelope(changed, f"{int(number[1]):x}", date) if number else Envelope(changed)
