"""`lorchestra extract`: extract some sources, on request for a time window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lorchestra.base.commandline import closest
from lorchestra.base.errors import Code, Exit, Failure
from lorchestra.planning import preflight, run_audit, trusted_files
from lorchestra.planning.config import Source
from lorchestra.planning.snapshot import Snapshot
from lorchestra.planning.window import Window
from lorchestra.stages.extract import extraction


def extract(path: Path, names: Sequence[str], window: Window) -> Exit:
    """Extract the named sources, or those that the named entries stand for; return the exit status.

    Raises Failure if the run could not start, for example because a source accepts no time window.
    """
    from lorchestra.scheduler.execute import execute
    from lorchestra.scheduler.tasks import Pipeline

    snapshot = preflight.snapshot(path)
    config = snapshot.config
    entries, selected = _select(config.extract.sources, names, window)
    config = replace(config, extract=replace(config.extract, sources=entries))
    chosen = Snapshot(config, snapshot.store)
    held = preflight.lock(chosen)
    run_audit.begin(chosen, ["extract"])
    trusted_files.require_installation(config)
    return execute(Pipeline(chosen, held=held), [f"extract:{name}" for name in selected])


def _select(entries: Sequence[Source], names: Sequence[str], window: Window) -> tuple[tuple[Source, ...], list[str]]:
    """All entries, those in question with the window, and the names of the sources to extract. Raises Failure."""
    found: list[Source] = []
    selected: dict[str, None] = {}
    unknown = dict.fromkeys(names)
    for entry in entries:
        sources = (entry,) if extraction.fault(entry) else extraction.expand(entry)
        wanted = [source.name for source in sources if entry.name in names or source.name in names]
        if wanted:
            extraction.require_window(entry, window)
        found.append(replace(entry, window=window) if wanted else entry)
        selected.update(dict.fromkeys(wanted))
        for name in (entry.name, *wanted):
            unknown.pop(name, None)
    for name in unknown:
        known = [*(entry.name for entry in entries), *selected]
        raise Failure(
            Code.USAGE,
            f"there is no source {name}{closest(name, known)}",
            advice="`lorchestra list sources` lists them.",
        )
    return tuple(found), list(selected)
