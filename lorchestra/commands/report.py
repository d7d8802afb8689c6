"""`lorchestra report`: one run as a web page in one file, without records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lorchestra.base.commandline import closest
from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.commands import graph, rejects
from lorchestra.planning import preflight
from lorchestra.storage import private

_BEGIN = b"<!doctype html>"


def report(path: Path, run_id: str | None, output: Path) -> str:
    """Write the page of a recorded run, by default the last one; return the id of the run.

    Raises Failure(USAGE) if there is no such run or `output` is not a page, (COMPONENT_MISSING) without the extra
    `dashboard`.
    """
    try:
        from lorchestra.dashboard import report as page
        from lorchestra.dashboard.journal import Journal
    except ModuleNotFoundError:
        advice = "Install it: pip install 'lorchestra[dashboard]' (in a clone: make dashboard)."
        raise Failure(Code.COMPONENT_MISSING, "the report needs the package jinja2", advice=advice) from None
    snapshot = preflight.snapshot(path)
    config = snapshot.config
    journal = Journal(config.log_directory, config.work_directory)
    run = _run(journal.runs(0, journal.count()), run_id)
    image = graph.svg(graph.of_snapshot(snapshot))
    groups = rejects.report(path, rejects.Filter()).groups
    text = page.render(config.name, journal, run, rejects=groups, graph=image)
    _write(output, text.encode("utf-8", "replace"))
    return str(run["run_id"])


def _run(recorded: list[dict[str, Any]], run_id: str | None) -> dict[str, Any]:
    if not recorded:
        raise Failure(Code.USAGE, "no run is recorded yet", advice="Start one with `lorchestra run`.")
    if run_id is None:
        return recorded[-1]
    for run in recorded:
        if run["run_id"] == run_id:
            return run
    known = closest(run_id, (run["run_id"] for run in recorded))
    raise Failure(Code.USAGE, f"there is no run {run_id}{known}", advice="`lorchestra history` lists them.")


def _write(output: Path, content: bytes) -> None:
    """Replace a page, or create it; a file of another kind is not overwritten."""
    try:
        if output.exists():
            with output.open("rb") as file:
                if file.read(len(_BEGIN)) != _BEGIN:
                    raise Failure(Code.USAGE, f"{output} exists and is no web page", advice="Choose another name.")
        private.write(output, content)
    except OSError as error:
        raise from_os_error(error, output) from None
