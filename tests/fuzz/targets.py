"""What is fuzzed: each target takes bytes and raises nothing, and checks what must hold for every input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from lorchestra.base import yaml_document, yaml_references, yaml_schema
from lorchestra.base.errors import Failure
from lorchestra.components.canonizer.record import parsing
from lorchestra.components.canonizer.record.functions import dates, mail, markdown, markup
from lorchestra.components.canonizer.record.rules import NotJson, Rejected
from lorchestra.components.canonizer.registry import metadata
from lorchestra.components.mailbox import gmail_form
from lorchestra.components.mailbox.mbox import Envelope
from lorchestra.components.target import messages
from lorchestra.planning import config
from lorchestra.stages.extract.sources.meltano_events import Events

_SCHEMA = json.loads(Path(config.__file__).with_name("pipeline.schema.json").read_bytes())


def line(data: bytes) -> None:
    """A line of a raw file is understood as every JSON reader understands it, or refused.

    Integers of more than 64 bits become doubles, and are counted as inexact.
    """

    def integer(digits: str) -> float:
        value = int(digits)
        return value if -(2**63) <= value < 2**64 else float(value)

    try:
        document, _ = parsing.parse(data)
    except (Rejected, NotJson):
        return
    assert json.loads(data, parse_int=integer) == document


def meta(data: bytes) -> None:
    """Metadata of a transform; errors name lines, never values."""
    try:
        metadata.parse(data, "m.yaml")
    except Failure as failure:
        assert "\x1b" not in failure.message


def pipeline(data: bytes) -> None:
    """pipeline.yaml, until its schema accepts or refuses it."""
    try:
        document = yaml_document.load(data, "pipeline.yaml")
    except Failure as failure:
        assert "\x1b" not in failure.message
        return
    filled, _ = yaml_references.fill(document, {"HOME": "/home/a"})
    for finding in yaml_schema.check(filled, _SCHEMA):
        assert finding.line >= 1


def addresses(data: bytes) -> None:
    """An address list: no pair is without an address, and no address has a space or a bracket around it."""
    for pair in mail.addresses(data.decode("utf-8", "replace")):
        assert pair["address"] == pair["address"].strip(" <>")
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", pair["address"])


def headers(data: bytes) -> None:
    """A header with encoded words, and text in any charset."""
    text = data.decode("latin-1")
    mail.mime_header(text)
    for charset in ("utf-8", "windows-1252", text[:20], None):
        mail.mime_text(text, charset)


def date(data: bytes) -> None:
    """A date: written as RFC 3339, or nothing."""
    for written in dates.iso_date(data.decode("utf-8", "replace")):
        assert len(written) >= 20 and written[4] == "-", written


def html(data: bytes) -> None:
    """HTML becomes text and Markdown."""
    text = data.decode("utf-8", "replace")
    markup.html_text(text)
    markdown.html_markdown(text)


def singer(data: bytes) -> None:
    """A Singer message; the text that is kept is the record."""
    try:
        message = messages.parse(data, 1)
        if isinstance(record := message.get("record"), dict):
            orjson.loads(messages.record_text(data, record, 1))
    except (Failure, orjson.JSONDecodeError):
        return


def meltano_log(data: bytes) -> None:
    """A line of Meltano's log."""
    events = Events(lambda _count: None)
    events.line(data)
    assert events.records >= 0


def message(data: bytes) -> None:
    """A mail file becomes a record that can be written as JSON."""
    try:
        made = gmail_form.form(data, Envelope(changed=0))
    except gmail_form.NotMail:
        return
    orjson.dumps(made.record)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "line": line, "metadata": meta, "pipeline": pipeline, "addresses": addresses, "headers": headers, "date": date,
    "html": html, "singer": singer, "meltano_log": meltano_log, "message": message,
}  # fmt: skip
