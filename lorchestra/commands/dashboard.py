"""`lorchestra dashboard`: serve the local page."""

from __future__ import annotations

import shutil
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from lorchestra.base.errors import Code, Failure
from lorchestra.planning import preflight
from lorchestra.storage import audit_check, private
from lorchestra.storage.audit import Trail

_LEAST_FREE = 0.05


def dashboard(path: Path, *, port: int, socket: Path | None, open_browser: bool) -> None:
    """Serve until interrupted. Raises Failure(CONFIG) if the extra is not installed or the port is taken."""
    try:
        import jinja2  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError:
        advice = "Install it: pip install 'lorchestra[dashboard]' (in a clone: make dashboard)."
        raise Failure(Code.COMPONENT_MISSING, "the dashboard is not installed", advice=advice) from None
    from lorchestra.dashboard import server
    from lorchestra.dashboard.alerts import Notes
    from lorchestra.dashboard.app import create
    from lorchestra.dashboard.journal import Journal

    config = preflight.snapshot(path).config
    app = create(
        config.name,
        Journal(config.log_directory, config.work_directory),
        Notes(config.work_directory / "acknowledged.json"),
        lambda: _examine(path),
    )
    if socket:
        server.serve_socket(app, socket, _print)
        return
    server.serve_port(app, port, _Browser(config.work_directory / "open.html") if open_browser else _print)


def _examine(path: Path) -> Sequence[tuple[str, str]]:
    """What is wrong with the machine: disk, permissions, the audit log. (kind, text) each."""
    found = []
    snapshot = preflight.snapshot(path)
    config = snapshot.config
    usage = shutil.disk_usage(config.phi_directory)
    if usage.free < _LEAST_FREE * usage.total:
        found.append(("disk", f"Only {usage.free / usage.total:.0%} of the disk is free."))
    exposed = list(preflight.examine(snapshot))
    if exposed:
        count = f"{len(exposed)} {'place' if len(exposed) == 1 else 'places'}"
        found.append(("permissions", f"Other users can access {count}: run `lorchestra validate`."))
    trail = Trail(config.work_directory / "audit")
    if (trail.directory / "logs").is_file() and audit_check.verify(trail, ()).findings:
        found.append(("audit log", "The audit log was changed: run `lorchestra audit verify`."))
    return found


def _print(address: str) -> None:
    print(f"Dashboard: {address}", flush=True)


class _Browser:
    """Opens the first address in the browser through a private page: arguments of programs are visible to everybody."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._opened = False

    def __call__(self, address: str) -> None:
        _print(address)
        if not self._opened:
            self._opened = True
            private.write(self._page, f'<!doctype html><meta http-equiv="refresh" content="0;url={address}">'.encode())
            webbrowser.open(self._page.absolute().as_uri())
