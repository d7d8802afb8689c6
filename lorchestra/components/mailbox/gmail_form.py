"""A message (RFC 5322) as the Gmail API returns it: the resource `users.messages`, `format=full`.

https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages

As in the API, the data of attachments is not part of the record. Texts keep their charset, which the part's headers
declare, and headers keep their encoded words: whoever reads the record decodes them.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from email.utils import mktime_tz, parsedate_tz
from typing import Any

from lorchestra.components.mailbox.mbox import Envelope

# The limit of a line is 64 MiB, and base64 adds a third.
LONGEST_TEXT = 16 * 1024 * 1024
_LABELS = {
    "inbox": "INBOX", "sent": "SENT", "sent items": "SENT", "starred": "STARRED", "trash": "TRASH", "spam": "SPAM",
    "junk": "SPAM", "drafts": "DRAFT", "important": "IMPORTANT", "unread": "UNREAD",
}  # fmt: skip
"""How the Gmail API names the labels that an export names for people."""
_READ_ONLY_MARKS = ("opened", "archived")
"""Labels of an export that the API expresses by the absence of UNREAD and INBOX."""
_CONTENT_HEADER = re.compile(rb"^content-", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_LATEST = 253_402_300_799_999  # the end of the year 9999


class NotMail(Exception):
    """The bytes are no message: they have no header."""


@dataclass
class Form:
    """A record, and whether some text of it was left out because it is too long."""

    record: dict[str, Any]
    shortened: bool = False

    @property
    def milliseconds(self) -> int:
        """When the message was received, since 1970."""
        return int(self.record["internalDate"])


def form(content: bytes, envelope: Envelope) -> Form:
    """The record of a message. Raises NotMail."""
    made = Form({})
    try:
        message = _parse(content)
        payload = _part(message, "", made)
    except RecursionError:
        message = _parse(_without_parts(content))
        payload = _part(message, "", made)
    labels = [*envelope.labels, *_exported_labels(message)]
    made.record = {
        "id": envelope.id or hashlib.sha256(_canonical(content)).hexdigest()[:32],
        "threadId": _thread(message) or envelope.id,
        **({"labelIds": list(dict.fromkeys(labels))} if labels else {}),
        "internalDate": str(_received(message, envelope)),
        "payload": payload,
        "sizeEstimate": len(content),
    }
    return made


def _parse(content: bytes) -> Message:
    message = message_from_bytes(content, policy=policy.compat32)
    if not message.keys():
        raise NotMail
    return message


def _without_parts(content: bytes) -> bytes:
    """A message with parts within parts, hundreds deep, as one text: its type is hidden from the parser."""
    head, separator, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    return _CONTENT_HEADER.sub(b"X-Content-", head) + separator + body


def _canonical(content: bytes) -> bytes:
    """What does not depend on the kind of file that a message is kept in."""
    return content.replace(b"\r\n", b"\n").rstrip(b"\n")


def _part(part: Message, number: str, made: Form) -> dict[str, Any]:
    """One part and those inside it. Numbers are as in the API: "", then 0, 1, then 0.0, 0.1."""
    kind, filename = part.get_content_type(), _filename(part)
    children = part.get_payload() if part.is_multipart() else []
    shown: dict[str, Any] = {
        "partId": number,
        "mimeType": kind,
        "filename": filename,
        "headers": [{"name": name, "value": text(value)} for name, value in part.raw_items()],
        "body": {"size": 0},
    }
    if isinstance(children, list) and children:
        prefix = f"{number}." if number else ""
        shown["parts"] = [_part(child, f"{prefix}{index}", made) for index, child in enumerate(children)]
        return shown
    content = _content(part)
    shown["body"]["size"] = len(content)
    inline = kind.startswith("text/") and (not filename or not number)
    if inline and len(content) <= LONGEST_TEXT:
        shown["body"]["data"] = urlsafe_b64encode(content).decode()
    elif content or filename:
        made.shortened |= inline
        shown["body"]["attachmentId"] = hashlib.sha256(content).hexdigest()[:32]
    return shown


def _content(part: Message) -> bytes:
    """A part's bytes without their transfer encoding; as they are if that encoding is broken."""
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError):
        content = None
    if isinstance(content, bytes):
        return content
    payload = part.get_payload()
    return payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b""


def _filename(part: Message) -> str:
    try:
        return text(part.get_filename() or "")
    except (ValueError, LookupError, TypeError):
        return ""


def text(value: object) -> str:
    """A header's value without line ends. Bytes that are not ASCII are read as UTF-8, otherwise as Windows-1252."""
    raw = str(value).encode("utf-8", "surrogateescape" if _escaped(str(value)) else "replace")
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError:
        decoded = raw.decode("windows-1252", "replace")
    return re.sub(r"[\r\n]+[ \t]*", " ", decoded)


def _escaped(value: str) -> bool:
    """Whether every surrogate stands for a byte, as the parser makes them."""
    return not any("\ud800" <= c <= "\udfff" and not "\udc80" <= c <= "\udcff" for c in value)


def _exported_labels(message: Message) -> Iterator[str]:
    """The labels of a Google Takeout, and the flags of Thunderbird and of mbox files."""
    for label in _words(message.get("X-Gmail-Labels", "")):
        if label.lower() not in _READ_ONLY_MARKS:
            yield _LABELS.get(label.lower(), label)
    status, marks = message.get("Status"), message.get("X-Mozilla-Status")
    if marks is not None:
        flags = int(marks, 16) if re.fullmatch(r"[0-9A-Fa-f]{4}", marks.strip()) else 0
        yield from (name for bit, name in ((0x0004, "STARRED"), (0x0008, "TRASH")) if flags & bit)
        if not flags & 0x0001:
            yield "UNREAD"
    elif status is not None and "R" not in str(status):
        yield "UNREAD"


def _words(value: object) -> Iterator[str]:
    """The labels in a header, whose encoded words are decoded."""
    unfolded = text(value)
    with contextlib.suppress(ValueError, LookupError):
        unfolded = str(make_header(decode_header(unfolded)))
    yield from (label.strip().strip('"') for label in unfolded.split(",") if label.strip())


def _thread(message: Message) -> str:
    """The thread's id in Gmail if the header tells; otherwise one made from the first message of the thread."""
    number = text(message.get("X-GM-THRID", "")).strip()
    if number.isascii() and number.isdigit():
        return f"{int(number):x}"
    for name in ("References", "In-Reply-To", "Message-ID"):
        if found := _MESSAGE_ID.search(text(message.get(name, ""))):
            return hashlib.sha256(found[0].encode("utf-8", "replace")).hexdigest()[:16]
    return ""


def _received(message: Message, envelope: Envelope) -> int:
    """Milliseconds since 1970: of the envelope, the newest Received, Date, or the file, in this order."""
    newest = text(message.get("Received", "")).rpartition(";")[2]
    for date in (envelope.date, newest, text(message.get("Date", ""))):
        if (moment := _milliseconds(date)) is not None:
            return moment
    return envelope.changed


def _milliseconds(date: str) -> int | None:
    try:
        parsed = parsedate_tz(date)
        moment = int(mktime_tz(parsed) * 1000) if parsed else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return moment if moment is not None and 0 <= moment <= _LATEST else None
