"""Notifications: what a command and a mail server receive after real runs."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.harness import Project

FAILING = '      broken-source-x: {type: command, command: ["false"]}\n'


def notify(project: Project, section: str) -> None:
    """Add a `notify` section to pipeline.yaml."""
    project.edit("\npipeline:", f"\nnotify: {section}\npipeline:")


def received(project: Project) -> list[dict[str, Any]]:
    """The messages that the command of `appending` has received."""
    file = project.root / "received"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def appending(project: Project, when: str) -> None:
    notify(project, f"{{when: {when}, command: [sh, -c, 'cat >> received; env > environment']}}")


def test_failure_and_recovery_are_notified_and_success_is_not(project: Project) -> None:
    appending(project, "[failure, recovery]")
    project.run("lorchestra", "run")
    assert received(project) == []
    project.edit("    sources:\n", f"    sources:\n{FAILING}")
    project.run("lorchestra", "run", status=1)
    project.edit(FAILING, "")
    project.run("lorchestra", "run")
    project.run("lorchestra", "run")
    failed, recovered = received(project)
    assert (failed["events"], failed["status"]) == (["failure", "run"], "PARTIAL")
    assert failed["failures"] == {"source_failed": 1}
    assert failed["stages"]["extract"]["failed"] == 1
    assert failed["text"].startswith(
        "lorchestra test: PARTIAL (source_failed: 1); extract: 3 done, 0 unchanged, 1 failed"
    )
    assert (recovered["events"], recovered["failures"]) == (["recovery", "run"], {})


def test_a_notification_names_no_source_file_or_task(project: Project) -> None:
    project.edit("gmail-messages-a:", "gmail-messages-ada_lovelace:")
    project.edit("    sources:\n", f"    sources:\n{FAILING}")
    appending(project, "[run]")
    project.run("lorchestra", "run", status=1, env={"SECRET_TOKEN": "xyzzy"})
    text = (project.root / "received").read_text()
    for name in ("ada_lovelace", "broken", "email", "contact", ".jsonl", str(project.root)):
        assert name not in text
    assert "xyzzy" not in (project.root / "environment").read_text()


def test_runs_without_work_and_runs_that_cannot_begin_are_notified(built: Project) -> None:
    appending(built, "[run]")
    built.run("lorchestra", "run", "--stage", "index")
    built.run("lorchestra", "run", "--stage", "index")
    built.raw.chmod(0o755)
    built.run("lorchestra", "run", status=5)
    assert [(one["status"], one["failures"]) for one in received(built)] == [
        ("SUCCESS", {}),
        ("SUCCESS", {}),
        ("FAILED", {"insecure": 1}),
    ]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("[sh, -c, 'exit 3']", "exit status 3"),
        ("[sleep, '60']", "no end within 0.3 seconds"),
        ("no-such-program", "program not found: no-such-program"),
    ],
    ids=["status", "time", "missing"],
)
def test_a_failing_command_is_a_warning(built: Project, command: str, reason: str) -> None:
    notify(built, f"{{when: [run], timeout_seconds: 0.3, command: {command}}}")
    run = built.run("lorchestra", "run", "--stage", "index")
    assert f"Warning: notification by command failed: {reason}" in run.stdout
    assert '"event": "notification_failed"' in "".join(path.read_text() for path in built.logs.glob("pipeline-*"))
    assert built.state()["status"] == "SUCCESS"


class _Mailbox(socketserver.StreamRequestHandler):
    """A mail server that accepts everything, as far as smtplib needs one."""

    mails: ClassVar[list[str]]

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            verb = line.split()[0].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
            self.wfile.write(b"250 ok\r\n")
            if verb == b"QUIT":
                return


@pytest.fixture
def mails() -> Iterator[tuple[int, list[str]]]:
    """The port of a mail server, and what it received."""

    class Handler(_Mailbox):
        mails: ClassVar[list[str]] = []

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], Handler.mails
        server.shutdown()


def test_email_is_sent_by_smtp(built: Project, mails: tuple[int, list[str]]) -> None:
    port, arrived = mails
    email = f"{{to: [a@example.org], from: b@example.org, host: 127.0.0.1, port: {port}, encryption: none}}"
    notify(built, f"{{when: [run], email: {email}}}")
    built.run("lorchestra", "run", "--stage", "index")
    (mail,) = arrived
    assert "Subject: lorchestra test: SUCCESS" in mail
    assert "To: a@example.org" in mail


def test_a_mail_server_that_is_down_is_a_warning(built: Project, mails: tuple[int, list[str]]) -> None:
    email = "{to: [a@example.org], from: b@example.org, host: 127.0.0.1, port: 1, encryption: none}"
    notify(built, f"{{when: [run], email: {email}}}")
    run = built.run("lorchestra", "run", "--stage", "index")
    assert "Warning: notification by email failed: ConnectionRefusedError at 127.0.0.1:1" in run.stdout


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{when: [failure]}", "must have a `command` or `email`"),
        ("{when: [always], command: cat}", "must be one of failure, anomaly, recovery, run"),
        ("{email: {to: [a@example.org], from: b@example.org, host: example.org, encryption: none}}", "localhost"),
        ('{email: {to: ["a@example.org\\nBcc: x@y"], from: b@example.org, host: h}}', "must be an email address"),
    ],
    ids=["no-way", "when", "unencrypted", "header"],
)
def test_mistakes_are_found_when_pipeline_yaml_is_read(project: Project, section: str, message: str) -> None:
    notify(project, section)
    assert message in project.run("lorchestra", "run", status=2).stderr
    assert not Path(project.logs).exists()
