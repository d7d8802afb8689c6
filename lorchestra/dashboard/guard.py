"""Decides which requests are answered: host, origin, session, sizes. Everything else is refused before a page is made.

Other users of the machine can connect to loopback, and a web page can make a browser send requests to it (DNS
rebinding, cross-site requests). So the Host must be ours, a session begins with a one-time token that only the terminal
shows, and a request that changes something must come from our own page.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from lorchestra.base.program import place

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "lorchestra"
IDLE_SECONDS = 1800.0
_FAILURES, _FAILURE_SECONDS = 10, 60.0
_LONGEST_PATH = 1024
# Not a redirect: the browser would not send the new cookie along if another program or page opened the address.
_ENTERED = '<!doctype html><meta http-equiv="refresh" content="0;url=/"><a href="/">Open the dashboard</a>'
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Sessions:
    """One-time tokens, and the sessions that they became. A session ends after half an hour without a request."""

    def __init__(self, announce: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`announce` shows a token to the user of the terminal."""
        self._announce, self._clock = announce, clock
        self._token = secrets.token_urlsafe(32)  # nobody knows it until `offer`
        self._sessions: dict[bytes, float] = {}
        self._failed: deque[float] = deque(maxlen=_FAILURES)

    def offer(self) -> None:
        """Make a new token and show it."""
        self._token = secrets.token_urlsafe(32)
        self._announce(self._token)

    def exchange(self, token: str) -> str | None:
        """The cookie for a token, which then loses its value; None if it is wrong, or too many were wrong lately."""
        now = self._clock()
        if self.is_limited() or not secrets.compare_digest(token.encode(), self._token.encode()):
            self._failed.append(now)
            return None
        cookie = secrets.token_urlsafe(32)
        self._sessions[_digest(cookie)] = now
        self.offer()
        return cookie

    def is_limited(self) -> bool:
        """Whether too many tokens were wrong in the last minute."""
        full = len(self._failed) == _FAILURES
        return full and self._clock() - self._failed[0] < _FAILURE_SECONDS

    def is_open(self, cookie: str) -> bool:
        """Whether a cookie belongs to a session that is not idle; counts as a sign of life."""
        digest, now = _digest(cookie), self._clock()
        seen = self._sessions.get(digest)
        if seen is None or now - seen > IDLE_SECONDS:
            self._sessions.pop(digest, None)
            return False
        self._sessions[digest] = now
        return True


class Guard:
    """An ASGI application in front of another one. `sessions` is None for a socket that only its owner can open."""

    def __init__(self, app: App, hosts: frozenset[str], sessions: Sessions | None) -> None:
        self._app, self._hosts, self._sessions = app, hosts, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        answer = self._refusal(request) or self._entry(request)
        try:
            await (answer or self._app)(scope, receive, _with_headers(send))
        except Exception as error:
            sys.stderr.write(f"lorchestra dashboard: unexpected {type(error).__name__} at {place(error)}\n")
            await _plain(500, "Something went wrong.")(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        if len(request.scope["raw_path"]) > _LONGEST_PATH or len(request.scope["query_string"]) > _LONGEST_PATH:
            return _plain(414, "The address is too long.")
        if request.headers.get("host", "") not in self._hosts:
            return _plain(421, "This host is not served here.")
        if request.method not in ("GET", "HEAD", "POST"):
            return _plain(405, "The method is not allowed.")
        if request.method == "POST" and request.headers.get("origin") not in {f"http://{host}" for host in self._hosts}:
            return _plain(403, "Requests from other pages are refused.")
        return None

    def _entry(self, request: Request) -> Response | None:
        if self._sessions is None or self._sessions.is_open(_cookie(request)):
            return None
        token = request.query_params.get("token")
        if request.url.path != "/enter" or token is None:
            return _plain(401, "Open the address that `lorchestra dashboard` printed.")
        if self._sessions.is_limited():
            return _plain(429, "Too many wrong tokens. Try again in a minute.")
        cookie = self._sessions.exchange(token)
        if cookie is None:
            return _plain(401, "The token is wrong or was used before. The terminal shows a new one.")
        answer = HTMLResponse(_ENTERED)
        answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
        return answer


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            known = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message.get("headers", []), *known]
        await send(message)

    return sending


def _plain(status: int, text: str) -> Response:
    return PlainTextResponse(text + "\n", status)


def _cookie(request: Request) -> str:
    try:
        morsel = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
