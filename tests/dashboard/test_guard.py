"""What an attacker tries: another user of the machine, another page in the browser, and odd requests."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from lorchestra.dashboard import guard
from lorchestra.dashboard.guard import Sessions
from tests.dashboard.harness import Dashboard, serving
from tests.harness import Project

PAGES = ("/", "/live", "/runs", "/runs/0", "/trends", "/alerts", "/static/style.css")


@pytest.fixture(scope="module")
def dashboard(built_once: Project) -> Iterator[Dashboard]:
    with serving(built_once) as running:
        yield running


@pytest.fixture
def entered(dashboard: Dashboard) -> Dashboard:
    if not dashboard.cookie:
        dashboard.enter()
    return dashboard


@pytest.mark.parametrize("path", PAGES)
def test_without_a_session_nothing_is_shown(dashboard: Dashboard, path: str) -> None:
    """Another user of the machine can connect, and knows no token."""
    answer = dashboard.get(path, Cookie="lorchestra=guess")
    assert (answer.status, answer.text) == (401, "Open the address that `lorchestra dashboard` printed.\n")


def test_a_token_works_once(dashboard: Dashboard) -> None:
    token = dashboard.token
    dashboard.enter()
    assert dashboard.get(f"/enter?token={token}", Cookie="none=1").status == 401
    dashboard.token = dashboard.read_token()
    assert dashboard.token != token


@pytest.mark.parametrize("path", PAGES[:1] + PAGES[2:])
def test_every_answer_forbids_what_a_page_does_not_need(entered: Dashboard, path: str) -> None:
    answer = entered.get(path)
    assert answer.status == 200
    for name, value in guard.HEADERS.items():
        assert answer.headers[name] == value
    assert "server" not in answer.headers
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:80", ""])
def test_a_foreign_host_is_refused(entered: Dashboard, host: str) -> None:
    """DNS rebinding: a foreign name that leads to this address."""
    assert entered.get("/", Host=host).status == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", ""])
def test_a_form_of_another_page_is_refused(entered: Dashboard, origin: str) -> None:
    assert entered.post("/alerts/acknowledge", "key=x", Origin=origin).status == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(entered: Dashboard, method: str) -> None:
    assert entered.ask(method, "/", None).status == 405


NOWHERE = (
    "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fcli.py", "/runs/-1", "/runs/9999999",
    "/runs?page=0", "/runs?page=x", "/nothing", "/enter/x", "/runs/1e3",
)  # fmt: skip


@pytest.mark.parametrize("path", NOWHERE)
def test_what_is_not_there_reveals_nothing(entered: Dashboard, path: str) -> None:
    answer = entered.get(path)
    assert answer.status == 404
    assert "No such page" in answer.text
    assert "Traceback" not in answer.text


def test_sizes_are_limited(entered: Dashboard) -> None:
    assert entered.get("/" + "a" * 2000).status == 414
    assert entered.get("/runs?page=" + "1" * 2000).status == 414
    assert entered.post("/alerts/acknowledge", "note=" + "a" * 10_000).status == 413
    with socket.create_connection(("127.0.0.1", entered.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_a_client_that_sends_nothing_is_closed(entered: Dashboard) -> None:
    with socket.create_connection(("127.0.0.1", entered.port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert connection.recv(100) in (b"", b"HTTP/1.1 400 Bad Request")


def test_too_many_connections_are_refused_and_the_page_comes_back(entered: Dashboard) -> None:
    held = [socket.create_connection(("127.0.0.1", entered.port)) for _ in range(100)]
    for connection in held:
        connection.close()
    while True:  # until the server has noticed that they are closed
        try:
            assert entered.get("/").status == 200
            return
        except ConnectionError:
            time.sleep(0.05)


class Clock:
    """Seconds that only pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_ten_wrong_tokens_end_the_guessing_for_a_minute() -> None:
    clock, shown = Clock(), list[str]()
    sessions = Sessions(shown.append, clock)
    sessions.offer()
    assert [sessions.exchange("guess") for _ in range(10)] == [None] * 10
    assert sessions.exchange(shown[-1]) is None
    clock.now = 61
    assert sessions.exchange(shown[-1])


def test_a_session_ends_when_it_is_idle() -> None:
    clock, shown = Clock(), list[str]()
    sessions = Sessions(shown.append, clock)
    sessions.offer()
    cookie = sessions.exchange(shown[-1])
    assert cookie
    for _ in range(5):
        clock.now += guard.IDLE_SECONDS - 1
        assert sessions.is_open(cookie)
    clock.now += guard.IDLE_SECONDS + 1
    assert not sessions.is_open(cookie)
    assert not sessions.is_open("other")
