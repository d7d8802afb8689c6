"""One run as one page that loads nothing: a file to keep, to mail or to print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lorchestra.dashboard import rendering
from lorchestra.dashboard.journal import Journal
from lorchestra.dashboard.run_view import RunView
from lorchestra.history import trends

_RECENT = 90


def render(pipeline: str, journal: Journal, run: dict[str, Any], *, rejects: Sequence[object], graph: str) -> str:
    """The page of a recorded run, as HTML.

    `rejects` are groups with `records`, `type`, `stage`, `rule` and `place`; `graph` is SVG.
    """
    view = RunView(run["run_id"], run["began"])
    for event in journal.events(run):
        view.add(event)
    earlier = journal.runs(run["number"] - _RECENT + 1, _RECENT)
    return (
        rendering.templates(pipeline)
        .get_template("report.html")
        .render(
            run=run,
            view=view,
            rejects=rejects,
            graph=graph,
            trends=trends.of_runs(earlier),
            style=rendering.STYLE.read_text(),
        )
    )
