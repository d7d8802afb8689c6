"""`lorchestra-mailbox` as a program, on every kind of mailbox and on unusual mail."""

from __future__ import annotations

import importlib.util
import json
import mailbox
import os
import stat
import subprocess
import sys
import threading
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest

from lorchestra.components.mailbox import cli

PROGRAM = Path(sys.executable).with_name("lorchestra-mailbox")
NAME = "mail-messages-jane"
PLAIN = b"""\
From: "Jane Doe" <jane@example.org>
To: doc@example.org
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Date: Wed, 12 Nov 2025 10:00:00 +0100
Message-ID: <1@example.org>

Hello
"""
TAKEOUT = b"""\
From 1785342953241535123@xxx Wed Nov 12 09:30:00 +0000 2025
X-GM-THRID: 1785342953241535000
X-Gmail-Labels: Inbox,Important,Opened,=?UTF-8?Q?Pr=C3=A4vention?=,Unread
From: jane@example.org
Subject: one
Date: Tue, 11 Nov 2025 10:00:00 +0100
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9
--x
Content-Type: application/pdf; name="report.pdf"
Content-Disposition: attachment; filename*=utf-8''B%C3%A9richt.pdf
Content-Transfer-Encoding: base64

JVBERi0=
--x--

From 1785342953241535124@xxx Wed Nov 12 09:31:00 +0000 2025
From: doc@example.org
Subject: two
References: <root@example.org> <1@example.org>

>From the start
From here on
>>From quoted
"""


def run(path: Path, tmp_path: Path, *options: str) -> dict[str, Any]:
    output, report = tmp_path / "raw", tmp_path / "report.json"
    command = [str(PROGRAM), str(path), f"--name={NAME}", f"--output={output}", f"--report={report}", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    counts: dict[str, Any] = json.loads(report.read_bytes())
    return counts


def records(tmp_path: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for path in sorted((tmp_path / "raw").iterdir()) for line in path.read_bytes().splitlines()
    ]


def rested(*paths: Path) -> None:
    """Wait until files count as complete: the age of a file is its ctime, which nobody can set."""
    newest = max(path.stat().st_ctime for path in paths)
    time.sleep(max(0.0, newest + 2.05 - time.time()))


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory with every kind of mailbox; read-only."""
    root = tmp_path_factory.mktemp("mail")
    write(root / "Takeout" / "All mail.mbox", TAKEOUT)
    write(root / "Thunderbird" / "Inbox", b"From - Wed Nov 12 10:00:00 2025\nX-Mozilla-Status: 0005\n" + PLAIN + b"\n")
    write(root / "Thunderbird" / "Inbox.msf", b"// index")
    write(root / "notes.txt", b"no mail")
    write(root / "eml" / "1.EML", PLAIN.replace(b"\n", b"\r\n"))
    apple = PLAIN.replace(b"<1@", b"<apple@")
    write(root / "Apple" / "1.emlx", b"%d\n%s<?xml version='1.0'?>" % (len(apple), apple))
    maildir = mailbox.Maildir(root / "Maildir")
    maildir.add(PLAIN.replace(b"<1@", b"<new@"))
    seen = mailbox.MaildirMessage(PLAIN.replace(b"<1@", b"<seen@"))
    seen.set_subdir("cur")
    seen.set_flags("FS")
    maildir.add(seen)
    maildir.add_folder("Sent").add(PLAIN.replace(b"<1@", b"<sent@"))
    (root / "link.eml").symlink_to(root / "eml" / "1.EML")
    rested(*(path for path in root.rglob("*") if path.is_file()))
    return root


def test_a_takeout_keeps_ids_threads_labels_and_days(mail: Path, tmp_path: Path) -> None:
    counts = run(mail / "Takeout", tmp_path)
    assert (counts["messages"], counts["unreadable"]) == (2, 0)
    assert [path.name for path in (tmp_path / "raw").iterdir()] == [f"{NAME}-20251112.jsonl"]
    assert stat.S_IMODE((tmp_path / "raw" / f"{NAME}-20251112.jsonl").stat().st_mode) == 0o600
    one, two = records(tmp_path)
    assert (one["id"], one["threadId"]) == (f"{1785342953241535123:x}", f"{1785342953241535000:x}")
    assert one["labelIds"] == ["INBOX", "IMPORTANT", "Prävention", "UNREAD"]
    assert one["internalDate"] == "1762939800000"
    text, report = one["payload"]["parts"]
    assert urlsafe_b64decode(text["body"]["data"]) == b"caf\xe9"
    assert (report["filename"], report["mimeType"], report["body"]["size"]) == ("Béricht.pdf", "application/pdf", 5)
    assert "data" not in report["body"]
    assert urlsafe_b64decode(two["payload"]["body"]["data"]) == b"From the start\nFrom here on\n>From quoted\n"


def test_every_kind_of_mailbox_is_read(mail: Path, tmp_path: Path) -> None:
    counts = run(mail, tmp_path)
    assert {name: counts[name] for name in ("messages", "read", "ignored", "unreadable")} == {
        "messages": 8, "read": 7, "ignored": 1, "unreadable": 0
    }  # fmt: skip
    by_id = {message["id"]: message for message in records(tmp_path)}
    assert len(by_id) == 8
    labels = sorted(",".join(message.get("labelIds", [])) for message in by_id.values())
    assert labels == ["", "", "", "INBOX,IMPORTANT,Prävention,UNREAD", "STARRED", "STARRED", "UNREAD", "UNREAD"]


def test_only_changed_files_are_read_again(mail: Path, tmp_path: Path) -> None:
    run(mail, tmp_path)
    seen = write(tmp_path / "seen.json", (tmp_path / "report.json").read_bytes())
    again = run(mail, tmp_path, f"--seen={seen}")
    assert (again["messages"], again["unchanged"]) == (0, 7)
    assert again["files"] == json.loads(seen.read_bytes())["files"]
    write(seen, b"damaged")
    assert run(mail, tmp_path, f"--seen={seen}")["messages"] == 8


def test_a_file_that_is_still_written_waits_for_the_next_run(tmp_path: Path) -> None:
    path = write(tmp_path / "mail" / "new.eml", PLAIN)
    stopped = threading.Event()

    def write_on() -> None:
        while not stopped.wait(0.1):
            os.utime(path)

    writer = threading.Thread(target=write_on)
    writer.start()
    counts = run(path.parent, tmp_path)
    stopped.set()
    writer.join()
    assert (counts["messages"], counts["waiting"], counts["files"]) == (0, 1, {})


def test_a_file_that_was_just_copied_is_waited_for(tmp_path: Path) -> None:
    path = write(tmp_path / "mail" / "new.eml", PLAIN)
    counts = run(path.parent, tmp_path)
    assert (counts["messages"], counts["waiting"]) == (1, 0)


def test_a_message_that_a_mail_program_moves_meanwhile_waits_for_the_next_run(tmp_path: Path) -> None:
    maildir = mailbox.Maildir(tmp_path / "mail")
    for number in range(2):
        maildir.add(PLAIN.replace(b"<1@", b"<%d@" % number))
    delivered = sorted((tmp_path / "mail" / "new").iterdir())
    rested(*delivered)
    reader = cli.Reader({})
    lines = reader.lines(tmp_path / "mail")
    next(lines)
    moved = delivered[1].rename(tmp_path / "mail" / "cur" / f"{delivered[1].name}:2,S")
    assert list(lines) == []
    assert (reader.counts["messages"], reader.counts["unreadable"]) == (1, 0)
    assert reader.counts["waiting"] == 1
    rested(moved)
    assert len(list(cli.Reader(json.loads(json.dumps(reader.read))).lines(tmp_path / "mail"))) == 1


UNUSUAL = {
    "no header": b"\n\nonly a body",
    "empty": b"",
    "nul bytes": b"Subject: a\0b\n\n\0\0",
    "8-bit header": b"Subject: caf\xe9\nFrom: x@y\n\nz",
    "bad base64": b"Subject: x\nContent-Transfer-Encoding: base64\n\n!!!=A=",
    "unknown encoding": b"Subject: x\nContent-Transfer-Encoding: uuencode\n\nbegin 644",
    "unknown charset": b"Subject: x\nContent-Type: text/plain; charset=\"no-such\"\n\n\xff",
    "no boundary": b"Subject: x\nContent-Type: multipart/mixed\n\nbody",
    "bad date": b"Subject: x\nDate: Foo, 99 Nov 99999 99:99:99 +9999\n\nbody",
    "far date": b"Subject: x\nDate: Mon, 1 Jan 9999 00:00:00 +0000\n\nbody",
    "before 1970": b"Subject: x\nDate: Mon, 1 Jan 1900 00:00:00 +0000\n\nbody",
    "bad file name": b"Subject: x\nContent-Disposition: attachment; filename*=no-such''%FF\n\nbody",
    "half surrogate": b"Subject: =?utf-8?b?7aCA?=\n\nbody",
    "deep": b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(3000)
    ) + b"\ntext",
    "long header": b"Subject: " + b"x" * 3_000_000 + b"\n\nbody",
    "mozilla": b"X-Mozilla-Status: zz\nStatus: \xff\nX-Gmail-Labels: =?x?b?=\nX-GM-THRID: x\n\nbody",
}  # fmt: skip


def test_unusual_mail_is_read_or_counted(tmp_path: Path) -> None:
    for name, content in UNUSUAL.items():
        write(tmp_path / "mail" / f"{name}.eml", content)
    rested(*(tmp_path / "mail").iterdir())
    counts = run(tmp_path / "mail", tmp_path)
    assert counts["messages"] + counts["unreadable"] == len(UNUSUAL)
    assert counts["unreadable"] == 2, "those without a header"
    subjects = [
        header["value"]
        for record in records(tmp_path)
        for header in record["payload"]["headers"]
        if header["name"] == "Subject"
    ]
    assert "café" in subjects
    assert all(record["internalDate"].isdigit() for record in records(tmp_path))


def test_a_public_corpus_of_unusual_mail_is_read(tmp_path: Path) -> None:
    """The messages with which CPython tests its email package; some systems do not install them."""
    spec = importlib.util.find_spec("test")
    corpus = Path(spec.origin or "").parent / "test_email" / "data" if spec else tmp_path
    messages = sorted(corpus.glob("msg_*.txt"))
    if not messages:
        pytest.skip("CPython's tests are not installed")
    for message in messages:
        write(tmp_path / "mail" / f"{message.stem}.eml", message.read_bytes())
    rested(*(tmp_path / "mail").iterdir())
    counts = run(tmp_path / "mail", tmp_path)
    assert counts["messages"] + counts["unreadable"] == len(messages)
    assert counts["unreadable"] <= 1


def test_the_program_reports_what_is_missing(tmp_path: Path) -> None:
    for arguments in ([], [tmp_path / "nowhere", f"--name={NAME}", f"--output={tmp_path}/raw"], ["--name=../x"]):
        env = {"PATH": os.environ["PATH"]}
        result = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False, env=env)
        assert result.returncode == 2, result.stderr
        assert result.stderr.startswith(("lorchestra-mailbox: ", "usage: "))
