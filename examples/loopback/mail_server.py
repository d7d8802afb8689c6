"""A loopback server that imitates Gmail: OAuth tokens, listing and getting messages, and its faults.

    python mail_server.py MAIL [--port 0] [--fault ACCOUNT:KIND[:TIMES]]...

It serves MAIL/{account}.jsonl, one message per line; the files are read at each request, so mail may always arrive.
The address is printed as the first line. `POST /token` exchanges the refresh token for an access token, which is valid
for an hour. `q` of the list knows `after:` and `before:` with a date or with seconds. TIMES counts how many requests a
fault spoils (1); KIND is one of

    401         the token is refused
    expired     the access token in use has expired
    429         too many requests: Retry-After says one second
    500         an internal error
    slow        the answer takes two seconds
    truncated   the connection ends in the middle of the answer
    poison      getting the account's third message gives something that is no message, each time
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "example-token"  # noqa: S105 - of a server that holds synthetic mail only
"""A token that does not expire, for taps without OAuth."""
CREDENTIALS = {"client_id": "example-client", "client_secret": "example-secret", "refresh_token": "example-refresh"}
KINDS = ("401", "expired", "429", "500", "slow", "truncated", "poison")
_PATH = re.compile(r"/gmail/v1/users/([a-z0-9-]+)/messages(?:/([^/]+))?")


class MailServer(ThreadingHTTPServer):
    """Serves a directory of mailboxes. `faults` maps (account, kind) to how many requests it still spoils."""

    daemon_threads = True

    def __init__(self, mail: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.mail = mail
        self.faults: dict[tuple[str, str], int] = {}
        self.gets = 0
        self.queries: list[str] = []
        self.tokens: set[str] = set()
        self.token_seconds = 3600
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spoils(self, account: str, kind: str) -> bool:
        """Whether this request is spoiled; counts it."""
        with self._lock:
            left = self.faults.get((account, kind), 0)
            self.faults[account, kind] = max(0, left - 1)
            return left > 0

    def messages(self, account: str) -> list[dict[str, Any]]:
        """Newest first, as Gmail lists them."""
        lines = (self.mail / f"{account}.jsonl").read_bytes().splitlines()
        return sorted(map(json.loads, lines), key=lambda message: -int(message["internalDate"]))


class _Handler(BaseHTTPRequestHandler):
    server: MailServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Exchange the refresh token for an access token: https://developers.google.com/identity/protocols/oauth2"""
        body = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        given = {name: values[0] for name, values in body.items()}
        wanted = CREDENTIALS | {"grant_type": "refresh_token"}
        if self.path != "/token" or any(given.get(name) != value for name, value in wanted.items()):
            self._answer(401, {"error": "invalid_grant"})
            return
        token = secrets.token_hex(8)
        self.server.tokens.add(token)
        self._answer(200, {"access_token": token, "expires_in": self.server.token_seconds, "token_type": "Bearer"})

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        match = _PATH.fullmatch(parts.path)
        if match is None or not (self.server.mail / f"{match[1]}.jsonl").exists():
            self._answer(404, {"error": {"code": 404}})
            return
        account, identity = match.groups()
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.server.spoils(account, "expired"):
            self.server.tokens.discard(token)
        if token not in {TOKEN, *self.server.tokens} or self.server.spoils(account, "401"):
            self._answer(401, {"error": {"code": 401}})
        elif self.server.spoils(account, "429"):
            self._answer(429, {"error": {"code": 429}}, {"Retry-After": "1"})
        elif self.server.spoils(account, "500"):
            self._answer(500, {"error": {"code": 500}})
        else:
            if self.server.spoils(account, "slow"):
                time.sleep(2)
            answer = self._get(account, identity) if identity else self._list(account, parse_qs(parts.query))
            self._answer(200 if answer else 404, answer, cut=self.server.spoils(account, "truncated"))

    def _list(self, account: str, query: dict[str, list[str]]) -> dict[str, Any]:
        words = query.get("q", [""])[0]
        self.server.queries.append(words)
        since, until = _moment("after", words) or 0, _moment("before", words) or 10**15
        messages = [m for m in self.server.messages(account) if since <= int(m["internalDate"]) < until]
        start, size = int(query.get("pageToken", ["0"])[0]), int(query.get("maxResults", ["100"])[0])
        page = messages[start : start + size]
        answer: dict[str, Any] = {"resultSizeEstimate": len(messages)}
        if page:
            answer["messages"] = [{"id": message["id"], "threadId": message["threadId"]} for message in page]
        if start + size < len(messages):
            answer["nextPageToken"] = str(start + size)
        return answer

    def _get(self, account: str, identity: str) -> dict[str, Any]:
        self.server.gets += 1
        messages = self.server.messages(account)
        if identity == messages[2]["id"] and self.server.faults.get((account, "poison")):
            return {"poison": "x" * 100}
        return next((message for message in messages if message["id"] == identity), {})

    def _answer(
        self, status: int, value: dict[str, Any], headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a request line names messages."""


def _moment(word: str, query: str) -> int | None:
    """The milliseconds since 1970 that a word of a query names: seconds, or a date, whose midnight is taken in UTC."""
    found = re.search(rf"\b{word}:(\d+)(?:/(\d+)/(\d+))?", query)
    if found is None:
        return None
    year, month, day = found.groups()
    return int(datetime(int(year), int(month), int(day), tzinfo=UTC).timestamp() if month else int(year)) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mail", type=Path, metavar="MAIL")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], metavar="ACCOUNT:KIND[:TIMES]")
    args = parser.parse_args()
    if not args.mail.is_dir():
        parser.error(f"{args.mail}: no such directory")
    with MailServer(args.mail, args.port) as server:
        for fault in args.fault:
            match = re.fullmatch(rf"([a-z0-9-]+):({'|'.join(KINDS)})(?::([0-9]+))?", fault)
            if match is None:
                parser.error(f"--fault is ACCOUNT:KIND or ACCOUNT:KIND:TIMES, KIND one of {', '.join(KINDS)}")
            server.faults[match[1], match[2]] = int(match[3] or 1)
        print(server.url, flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main()
