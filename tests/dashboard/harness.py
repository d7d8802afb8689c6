"""A dashboard of a pipeline, run by the real program, and a small HTTP client."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from tests.harness import Project


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    text: str


class Dashboard:
    """A running `lorchestra dashboard`. `cookie` is that of the session."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child
        self.token = self.read_token()
        self.cookie = ""

    def read_token(self) -> str:
        """The next token that the program prints."""
        assert self.child.stdout
        found = re.search(r"http://127\.0\.0\.1:(\d+)/enter\?token=(\S+)", self.child.stdout.readline())
        assert found
        self.port = int(found[1])
        return found[2]

    def enter(self) -> None:
        """Exchange the token for a session."""
        answer = self.get(f"/enter?token={self.token}")
        assert answer.status == 200
        self.cookie = answer.headers["set-cookie"].partition(";")[0]

    def get(self, path: str, **headers: str) -> Answer:
        """GET a page. Names of headers are written with underscores."""
        return self.ask("GET", path, None, **headers)

    def post(self, path: str, body: str, **headers: str) -> Answer:
        """POST a form, from the page's own origin unless a header says otherwise."""
        own = {"Origin": f"http://127.0.0.1:{self.port}", "Content_Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, body, **{**own, **headers})

    def ask(self, method: str, path: str, body: str | None, **headers: str) -> Answer:
        """Send a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            named.setdefault("Cookie", self.cookie)
        with contextlib.closing(connection):
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())


@contextlib.contextmanager
def serving(project: Project, *arguments: str) -> Iterator[Dashboard]:
    """A dashboard of a project, until the end of the block."""
    with project.start("lorchestra", "dashboard", "--port", "0", *arguments) as child:
        try:
            yield Dashboard(child)
        finally:
            os.killpg(child.pid, signal.SIGINT)
            child.wait(30)
