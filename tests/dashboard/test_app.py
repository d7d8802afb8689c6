"""The pages show runs as they are, and nothing of a record."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time
from html.parser import HTMLParser
from pathlib import Path

from tests.dashboard.harness import Dashboard, serving
from tests.harness import Project

SLOW = 'slow-source-x: {type: command, command: ["sleep", "60"]}'


class Outside(HTMLParser):
    """Collects addresses that lead to another host, and code within the page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            leads = name in ("href", "src", "action", "data-source") and not (value or "").startswith(("/", "#"))
            if leads or name == "style" or name.startswith("on"):
                self.found.append(f"{tag} {name}={value}")
        if tag == "style" or (tag == "script" and "src" not in dict(attrs)):
            self.found.append(tag)


def shows(dashboard: Dashboard, path: str, text: str) -> None:
    """Wait until a page shows a text."""
    deadline = time.monotonic() + 60
    while text not in (page := dashboard.get(path).text):
        assert time.monotonic() < deadline, page
        time.sleep(0.1)


def test_the_pages_show_a_run_and_link_to_nothing_outside(built: Project) -> None:
    (built.raw / "gmail-messages-a-20251110.jsonl").write_text("no JSON\n")
    built.run("doit", "canonize", status=None)
    with serving(built) as dashboard:
        dashboard.enter()
        pages = {
            path: dashboard.get(path) for path in ("/", "/runs", "/runs/0", "/runs/1", "/trends", "/alerts", "/none")
        }
    assert [page.status for page in pages.values()] == [200] * 6 + [404]
    assert "canonize:email-20251111" in pages["/runs/0"].text
    assert "canonize:email-20251110" in pages["/runs/1"].text
    assert "not_jsonl" in pages["/runs/1"].text
    assert "PARTIAL" in pages["/"].text
    assert "A run ended as PARTIAL." in pages["/alerts"].text
    for page in pages.values():
        outside = Outside()
        outside.feed(page.text)
        assert outside.found == []


def test_a_run_is_followed_and_a_killed_one_is_shown_as_killed(built: Project) -> None:
    built.edit("    sources:\n", f"    sources:\n      {SLOW}\n")
    with serving(built) as dashboard:
        dashboard.enter()
        with built.start("lorchestra", "run") as run:
            shows(dashboard, "/", "RUNNING")
            shows(dashboard, "/", "extract:slow-source-x")
            with socket.create_connection(("127.0.0.1", dashboard.port), timeout=30) as stream:
                head = f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{dashboard.port}\r\nCookie: {dashboard.cookie}\r\n\r\n"
                stream.sendall(head.encode())
                received = b""
                while b"extract:slow-source-x" not in received:
                    received += stream.recv(65536)
            assert b"text/event-stream" in received
            os.kill(run.pid, signal.SIGKILL)
        shows(dashboard, "/", "KILLED")
        shows(dashboard, "/alerts", "A run was killed.")


def test_an_alert_is_acknowledged_with_a_note(built: Project) -> None:
    (built.raw / "gmail-messages-a-20251110.jsonl").write_text("no JSON\n")
    built.run("doit", "canonize", status=None)
    with serving(built) as dashboard:
        dashboard.enter()
        key = dashboard.get("/alerts").text.partition('name="key" value="')[2].partition('"')[0]
        assert dashboard.post("/alerts/acknowledge", "key=nothing").status == 404
        assert dashboard.post("/alerts/acknowledge", f"key={key}&note=%3Cscript%3E").status == 303
        page = dashboard.get("/alerts").text
    assert "No open alerts." in page
    assert "&lt;script&gt;" in page
    file = built.root / "phi-data" / ".work" / "acknowledged.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_socket_belongs_to_its_owner_and_needs_no_token(built: Project, tmp_path: Path) -> None:
    path = tmp_path / "dashboard.sock"
    with built.start("lorchestra", "dashboard", "--socket", str(path)) as child:
        assert child.stdout
        assert child.stdout.readline() == f"Dashboard: unix:{path}\n"
        deadline = time.monotonic() + 30
        answer = b""
        while not answer:
            assert time.monotonic() < deadline
            with socket.socket(socket.AF_UNIX) as client:
                try:
                    client.connect(str(path))
                except ConnectionRefusedError:
                    continue
                client.sendall(b"GET /runs HTTP/1.0\r\nHost: localhost\r\n\r\n")
                answer = client.recv(65536)
        assert b" 200 OK" in answer
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        child.send_signal(signal.SIGINT)
        child.wait(30)
    assert not path.exists()


def test_a_port_that_is_taken_is_a_sentence(built_once: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = built_once.run("lorchestra", "dashboard", "--port", port, status=2)
    assert f"port {port}: Address already in use" in refused.stderr
