"""Serves the application on loopback or on a private socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.dashboard.guard import App, Guard, Sessions
from lorchestra.storage import trust

_MOST_CONNECTIONS = 64
_SECONDS_FOR_A_REQUEST = 5.0
_LONGEST_HEAD = 16 * 1024


class _Impatient(H11Protocol):
    """Closes connections that send no complete request in time, and those above the limit."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > _MOST_CONNECTIONS:
            transport.abort()
            return
        self.loop.call_later(_SECONDS_FOR_A_REQUEST, self._close_if_idle)

    def _close_if_idle(self) -> None:
        cycle: object = self.cycle  # None until a request is complete
        if cycle is None and not self.transport.is_closing():
            self.transport.close()


def serve_port(app: App, port: int, announce: Callable[[str], None]) -> None:
    """Serve on loopback until interrupted. `announce` gets the address with a one-time token, again after each use.

    Raises Failure(CONFIG) if the port is in use.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        raise Failure(
            Code.CONFIG, f"port {port}: {os.strerror(error.errno or 0)}", advice="Choose another --port."
        ) from None
    listening.listen(_MOST_CONNECTIONS)
    port = listening.getsockname()[1]
    sessions = Sessions(lambda token: announce(f"http://127.0.0.1:{port}/enter?token={token}"))
    sessions.offer()
    hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
    _serve(Guard(app, hosts, sessions), listening)


def serve_socket(app: App, path: Path, announce: Callable[[str], None]) -> None:
    """Serve on a socket that only its owner can open, until interrupted. Raises Failure if it cannot be created."""
    if exposures := list(trust.examine_ways([path.absolute()])):
        raise Failure(Code.PERMISSION, "\n".join(map(str, exposures)))
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _umask(0o177):
            listening.bind(str(path))
    except OSError as error:
        raise from_os_error(error, path) from None
    listening.listen(_MOST_CONNECTIONS)
    announce(f"unix:{path}")
    try:
        _serve(Guard(app, frozenset({"localhost"}), None), listening)
    finally:
        path.unlink(missing_ok=True)


def _serve(app: Any, listening: socket.socket) -> None:
    config = uvicorn.Config(
        app,
        http=_Impatient,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        h11_max_incomplete_event_size=_LONGEST_HEAD,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )
    with contextlib.suppress(KeyboardInterrupt):  # the usual end
        uvicorn.Server(config).run(sockets=[listening])


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
