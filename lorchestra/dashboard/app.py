"""The pages. Each reads the journal anew, so a reload always shows the present, with or without the script."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from lorchestra.dashboard import alerts, rendering
from lorchestra.dashboard.alerts import Alert, Notes
from lorchestra.dashboard.journal import Journal
from lorchestra.dashboard.run_view import RunView, seconds
from lorchestra.history import trends

Check = Callable[[], Sequence[tuple[str, str]]]
"""Findings about the machine: (kind, text)."""

_PAGE = 50
_RECENT = 90
_POLL_SECONDS = 0.5
_PING_SECONDS = 15.0
_CHECK_SECONDS = 60.0
_LONGEST_FORM = 8192
_HERE = Path(__file__).parent


class Pages:
    """The handlers of the routes."""

    def __init__(self, name: str, journal: Journal, notes: Notes, check: Check) -> None:
        self._journal, self._notes, self._check = journal, notes, check
        self._checked = float("-inf")
        self._findings: Sequence[tuple[str, str]] = ()
        self._templates = rendering.templates(name)

    async def now(self, _request: Request) -> Response:
        """What runs now, or the last run."""
        return self._page("now.html", panel=self._panel())

    async def live(self, _request: Request) -> Response:
        """The same as server-sent events, whenever it changes."""
        return StreamingResponse(self._changes(), media_type="text/event-stream")

    async def runs(self, request: Request) -> Response:
        """All runs, newest first, in pages."""
        total = self._journal.count()
        page = _number(request.query_params.get("page", "1"))
        first = total - page * _PAGE
        found = self._journal.runs(first, _PAGE if first >= 0 else _PAGE + first)
        if page < 1 or (page > 1 and not found):
            raise HTTPException(404)
        pages = max(1, -(-total // _PAGE))
        return self._page("runs.html", runs=found[::-1], page=page, pages=pages, total=total)

    async def run(self, request: Request) -> Response:
        """One run: stages, tasks, failures, events."""
        found = self._journal.runs(_number(request.path_params["number"]), 1)
        if not found:
            raise HTTPException(404)
        view = RunView(found[0]["run_id"], found[0]["began"])
        for event in self._journal.events(found[0]):
            view.add(event)
        return self._page("run.html", run=found[0], view=view)

    async def trends(self, _request: Request) -> Response:
        """Counts and durations of the last runs, and deliveries by source."""
        series = trends.of_runs(self._journal.last(_RECENT))
        sources = [
            trends.series(source, "new records", [(moment, float(count)) for moment, count in found[-_RECENT:]])
            for source, found in sorted(self._journal.deliveries().items())
        ]
        return self._page("trends.html", groups=[("Stages", series), ("Sources", sources)])

    async def alerts(self, _request: Request) -> Response:
        """What a person should look at."""
        known = self._notes.read()
        found = self._alerts()
        is_open = [alert for alert in found if alert.key not in known]
        closed = [(alert, known[alert.key]) for alert in found if alert.key in known]
        return self._page("alerts.html", open=is_open, closed=closed)

    async def acknowledge(self, request: Request) -> Response:
        """Note that somebody has seen an alert."""
        if int(request.headers.get("content-length") or _LONGEST_FORM + 1) > _LONGEST_FORM:
            raise HTTPException(413)
        form = dict(_pairs(await request.body()))
        if form.get("key") not in {alert.key for alert in self._alerts()}:
            raise HTTPException(404)
        self._notes.add(form["key"], form.get("note", ""))
        return RedirectResponse("/alerts", 303)

    def _alerts(self) -> list[Alert]:
        now = datetime.now(UTC)
        if time.monotonic() - self._checked > _CHECK_SECONDS:
            self._checked, self._findings = time.monotonic(), self._check()
        live = self._journal.live()
        killed = (
            [Alert(f"run:{live.run_id}", "killed", "A run was killed.", live.began)] if live and live.killed else []
        )
        return [
            *killed,
            *alerts.of_checks(self._findings, now),
            *alerts.of_sources(self._journal.deliveries(), now),
            *alerts.of_runs(self._journal.last(_RECENT)),
        ]

    async def _changes(self) -> AsyncIterator[str]:
        shown, told = "", time.monotonic()
        while True:
            panel = self._panel()
            if panel != shown:
                shown, told = panel, time.monotonic()
                yield "".join(f"data: {line}\n" for line in panel.splitlines()) + "\n"
            elif time.monotonic() - told > _PING_SECONDS:
                told = time.monotonic()
                yield ": ping\n\n"
            await asyncio.sleep(_POLL_SECONDS)

    def _panel(self) -> str:
        live = self._journal.live()
        last = self._journal.last(1)
        deliveries = self._journal.deliveries() if live is None else {}
        ages = [(source, found[-1][0]) for source, found in sorted(deliveries.items())]
        left = self._time_left(live) if live else None
        template = self._templates.get_template("panel.html")
        return template.render(live=live, last=last[0] if last else None, ages=ages, left=left)

    def _time_left(self, live: RunView) -> float | None:
        """The pace of the current stage; before anything is done, the usual duration of a run."""
        now = time.time()
        known = [left for stage in live.stages.values() if (left := stage.seconds_left(now)) is not None]
        if known:
            return sum(known)
        took = [seconds(run["ended"]) - seconds(run["began"]) for run in self._journal.last(10) if run.get("ended")]
        return max(0.0, statistics.median(took) - (now - seconds(live.began))) if took else None

    def _page(self, template: str, **values: Any) -> HTMLResponse:
        return HTMLResponse(self._templates.get_template(template).render(**values), values.get("status", 200))

    async def failure(self, _request: Request, error: Exception) -> Response:
        """The page of a request that has no page: it reveals nothing."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._page("failure.html", status=status)


def create(name: str, journal: Journal, notes: Notes, check: Check) -> Starlette:
    """The application, without a guard. `name` is the pipeline's."""
    pages = Pages(name, journal, notes, check)
    return Starlette(
        routes=[
            Route("/", pages.now),
            Route("/enter", lambda _request: RedirectResponse("/", 303)),
            Route("/live", pages.live),
            Route("/runs", pages.runs),
            Route("/runs/{number:int}", pages.run),
            Route("/trends", pages.trends),
            Route("/alerts", pages.alerts),
            Route("/alerts/acknowledge", pages.acknowledge, methods=["POST"]),
            Route("/favicon.ico", lambda _request: PlainTextResponse("", 204)),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        exception_handlers={HTTPException: pages.failure},
    )


def _number(text: object) -> int:
    try:
        return int(str(text))
    except ValueError:
        raise HTTPException(404) from None


def _pairs(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=10)
