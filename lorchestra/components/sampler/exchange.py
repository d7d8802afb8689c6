"""Messages as Microsoft Graph gives them: the resource `message`.

https://learn.microsoft.com/graph/api/resources/message
"""

from __future__ import annotations

from datetime import timedelta
from html import escape
from typing import Any

from lorchestra.components.sampler.generator import Generator, Person, iso

Record = dict[str, Any]


def message(generator: Generator, index: int) -> Record:
    """One message. About one in ten is a draft, which has neither sender nor recipients yet."""
    identity, moment = generator.id("exchange", index), generator.moment()
    draft = generator.chance() < 0.1
    sentences, subject = generator.sentences(4, 10), generator.subject()
    record = {
        "@odata.etag": f'W/"{identity[:20]}"',
        "id": f"AAMkSample{identity}=",
        "createdDateTime": iso(moment),
        "lastModifiedDateTime": iso(moment + timedelta(minutes=2)),
        "changeKey": identity[:16],
        "categories": ["Synthetic sample"] if generator.chance() < 0.5 else [],
        "receivedDateTime": iso(moment + timedelta(seconds=3)),
        "sentDateTime": iso(moment),
        "hasAttachments": False,
        "internetMessageId": f"<{identity}@example.org>",
        "subject": None if generator.chance() < 0.03 else subject,
        "bodyPreview": " ".join(sentences)[:255],
        "importance": generator.choice("low", "normal", "normal", "normal", "high"),
        "parentFolderId": "AAMkSampleInbox=",
        "conversationId": f"AAQkSample{identity[:12]}=",
        "isRead": generator.chance() < 0.6,
        "isDraft": draft,
        "webLink": f"https://outlook.example.com/owa/?ItemID={identity}",
        "inferenceClassification": "focused",
        "body": _body(generator, sentences),
        "toRecipients": [] if draft else _recipients(generator, 1 + generator.below(3)),
        "ccRecipients": _recipients(generator, generator.below(3)),
        "bccRecipients": [],
        "replyTo": [],
        "flag": {"flagStatus": "notFlagged"},
    }
    if not draft:
        record["from"] = record["sender"] = _recipient(generator.person())
    if generator.chance() < 0.15:
        record["hasAttachments"] = True
        record["attachments"] = [_attachment(generator, identity)]
    return record


def _body(generator: Generator, sentences: list[str]) -> Record:
    if generator.chance() < 0.3:
        return {"contentType": "text", "content": "\r\n".join(sentences)}
    paragraphs = "".join(f"<p>{escape(sentence)}</p>\r\n" for sentence in sentences)
    style = "<style>p { margin: 0 }</style>"
    return {"contentType": "html", "content": f"<html><head>{style}</head><body>\r\n{paragraphs}</body></html>"}


def _recipients(generator: Generator, many: int) -> list[Record]:
    return [_recipient(generator.person()) for _ in range(many)]


def _recipient(person: Person) -> Record:
    return {"emailAddress": {"name": person.name, "address": person.address}}


def _attachment(generator: Generator, identity: str) -> Record:
    return {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "id": f"AAMkSampleAttachment{identity[:8]}=",
        "name": generator.choice("Überweisung.pdf", "diary.pdf", "見本.pdf"),
        "contentType": "application/pdf",
        "size": generator.below(10**6),
        "isInline": False,
    }
