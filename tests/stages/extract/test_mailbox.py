"""`type: mailbox` as a source: what is new is published, what did not change is not read again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lorchestra.base.errors import Code
from lorchestra.planning.config import Source
from tests.stages.harness import CANARY, Harness, open_harness

NAME = "mail-messages-jane"


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    with open_harness(tmp_path) as harness:
        yield harness


def mail(number: int, day: int, label: str = "Inbox") -> bytes:
    return (
        f"From {1785342953241535000 + number}@xxx Wed Nov {day} 09:30:00 +0000 2025\n"
        f"From: jane@example.org\nSubject: {CANARY}\nX-Gmail-Labels: {label}\n\ntext {number}\n\n"
    ).encode()


def deliver(path: Path, content: bytes, mode: str = "wb") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(content)
    time.sleep(max(0.0, path.stat().st_ctime + 2.05 - time.time()))


def test_a_growing_mailbox_is_published_by_day_and_read_only_when_it_changed(harness: Harness) -> None:
    box = harness.root / "phi" / "takeout" / f"{CANARY}.mbox"
    deliver(box, mail(1, 10) + mail(2, 11))
    source = Source(NAME, "mailbox", {"path": str(box.parent)})
    result = harness.run(source)
    names = (f"{NAME}-20251110.jsonl", f"{NAME}-20251111.jsonl")
    assert (result.status, result.files, result.new_records) == ("ok", names, 2)
    assert result.child_log and result.child_log.read_text() == (
        "lorchestra-mailbox: 2 messages, 1 read, 0 unchanged, 0 waiting, 0 ignored, 0 unreadable, 0 shortened\n"
    )
    assert harness.run(source).status == "empty"
    deliver(box, mail(3, 11) + mail(1, 10, "Trash"), "ab")
    later = harness.run(source)
    assert (later.new_records, later.replaced) == (2, 1)
    (first,) = harness.records(names[0])
    assert first["labelIds"] == ["TRASH"]
    assert len(harness.records(names[1])) == 2
    assert CANARY not in "".join(map(json.dumps, harness.events()))


def test_files_without_mail_are_counted_and_reported(harness: Harness) -> None:
    root = harness.root / "phi" / "mail"
    root.mkdir(mode=0o700)
    (root / f"{CANARY}.pdf").write_bytes(b"%PDF")
    deliver(root / f"{CANARY}.eml", b"\nno header")
    result = harness.run(Source(NAME, "mailbox", {"path": str(root)}))
    assert (result.status, result.code) == ("empty", None)
    assert result.warning == "1 file without mail ignored; 1 message without a header, or too large, ignored"


def test_a_mailbox_must_exist_and_be_closed_to_others(harness: Harness) -> None:
    root = harness.root / "mail"
    assert harness.run(Source(NAME, "mailbox", {"path": str(root)})).code is Code.MISSING
    root.mkdir()
    root.chmod(0o755)
    result = harness.run(Source(NAME, "mailbox", {"path": str(root)}))
    assert (result.code, result.advice) == (Code.INSECURE, f"Run: chmod -R go-rwx {root}")
