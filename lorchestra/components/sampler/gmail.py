"""Messages as the Gmail API returns them: the resource `users.messages`, `format=full`.

https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages
"""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from datetime import datetime
from email.utils import format_datetime
from html import escape
from typing import Any

from lorchestra.components.sampler.generator import Generator, Person

Record = dict[str, Any]
_FOREIGN_CHARSETS = ("iso-8859-1", "windows-1252", "gb18030", "utf-16")
_ATTACHMENTS = (
    ("referral-letter.pdf", "application/pdf"),
    ("Fragebogen für nächste Woche.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("見本.png", "image/png"),
    ("diary.txt", "text/plain"),
)


def message(generator: Generator, index: int) -> Record:
    """One message. A few have no To, Subject or Date; header names come in any case."""
    moment, sender = generator.moment(), generator.person()
    identity = generator.id("gmail", index)
    payload = _payload(generator)
    payload["headers"] = _headers(generator, identity, moment, sender) + payload["headers"]
    return {
        "id": identity[:16],
        "threadId": identity[16:],
        "labelIds": ["INBOX", "CATEGORY_PERSONAL", *(["UNREAD"] if generator.chance() < 0.3 else [])],
        "snippet": "Synthetic sample message: no real person is meant.",
        "historyId": str(1_000_000 + index),
        "internalDate": str(int(moment.timestamp() * 1000)),
        "payload": payload,
        "sizeEstimate": 2_000 + generator.below(50_000),
    }


def _headers(generator: Generator, identity: str, moment: datetime, sender: Person) -> list[Record]:
    cased = generator.choice("title", "title", "title", "lower", "upper")
    headers = [_header("Received", "from mail.example.net (192.0.2.7) by mx.example.org; synthetic")]
    headers.append(_header("From", _mailbox(generator, sender), cased))
    for name, share in (("To", 0.96), ("Cc", 0.2), ("Bcc", 0.03), ("Reply-To", 0.1)):
        if generator.chance() < share:
            headers.append(_header(name, _mailboxes(generator), cased))
    if generator.chance() < 0.97:
        headers.append(_header("Subject", _encoded(generator, generator.subject()), cased))
    if generator.chance() < 0.97:
        headers.append(_header("Date", format_datetime(moment), cased))
    headers.append(_header("Message-ID", f"<{identity}@example.org>"))
    if generator.chance() < 0.3:
        parents = [f"<{generator.id('parent', generator.below(1000))}@example.org>" for _ in range(2)]
        headers += [_header("In-Reply-To", parents[1]), _header("References", " ".join(parents))]
    headers.append(_header("X-Sample", "synthetic"))
    return headers


def _payload(generator: Generator) -> Record:
    shape = generator.chance()
    text = generator.sentences(3, 8)
    if shape < 0.35:
        return _text("", text)
    if shape < 0.43:
        return _text("", text, generator.choice(*_FOREIGN_CHARSETS))
    if shape < 0.5:
        return _html("", text)
    if shape < 0.8:
        return _multipart("", "alternative", [_text("0", text), _html("1", text)])
    body = _multipart("0", "alternative", [_text("0.0", text), _html("0.1", text)])
    many = 1 + generator.below(2)
    return _multipart("", "mixed", [body, *(_attachment(generator, str(number + 1)) for number in range(many))])


def _text(part: str, sentences: list[str], charset: str = "utf-8") -> Record:
    content = "\r\n".join(sentences).encode(charset, "replace")
    return _leaf(part, "text/plain", charset, content)


def _html(part: str, sentences: list[str]) -> Record:
    paragraphs = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    return _leaf(part, "text/html", "utf-8", f"<html><body>{paragraphs}</body></html>".encode())


def _leaf(part: str, media_type: str, charset: str, content: bytes) -> Record:
    return {
        "partId": part,
        "mimeType": media_type,
        "filename": "",
        "headers": [_header("Content-Type", f'{media_type}; charset="{charset}"')],
        "body": {"size": len(content), "data": urlsafe_b64encode(content).decode()},
    }


def _multipart(part: str, kind: str, parts: list[Record]) -> Record:
    header = _header("Content-Type", f'multipart/{kind}; boundary="sample{part}"')
    return {
        "partId": part,
        "mimeType": f"multipart/{kind}",
        "filename": "",
        "headers": [header],
        "body": {"size": 0},
        "parts": parts,
    }


def _attachment(generator: Generator, part: str) -> Record:
    name, media_type = _ATTACHMENTS[generator.below(len(_ATTACHMENTS))]
    return {
        "partId": part,
        "mimeType": media_type,
        "filename": name,
        "headers": [
            _header("Content-Type", media_type),
            _header("Content-Disposition", "attachment"),
        ],
        "body": {
            "attachmentId": "ANGjdJ" + generator.id("attachment", generator.below(10**9)),
            "size": generator.below(10**6),
        },
    }


def _mailboxes(generator: Generator) -> str:
    shape = generator.chance()
    if shape < 0.03:
        return "undisclosed-recipients:;"
    if shape < 0.08:
        return f"Sample team: {_mailbox(generator, generator.person())}, {generator.person().address};"
    return ", ".join(_mailbox(generator, generator.person()) for _ in range(1 + generator.below(3)))


def _mailbox(generator: Generator, person: Person) -> str:
    shape = generator.chance()
    if shape < 0.15:
        return person.address
    if shape < 0.3:
        return f'"{person.family}, {person.given}" <{person.address}>'
    if "," in person.name:
        return f'"{person.name}" <{person.address}>'
    return f"{_encoded(generator, person.name)} <{person.address}>"


def _encoded(generator: Generator, text: str) -> str:
    """RFC 2047 encoded words for most non-ASCII texts; the API also returns some of them decoded."""
    if text.isascii() or generator.chance() < 0.3:
        return text
    pieces = (text[start : start + 12].encode() for start in range(0, len(text), 12))
    return " ".join(f"=?UTF-8?B?{b64encode(piece).decode()}?=" for piece in pieces)


def _header(name: str, value: str, cased: str = "title") -> Record:
    return {"name": name if cased == "title" else getattr(name, cased)(), "value": value}
