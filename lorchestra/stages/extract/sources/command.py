"""`type: command`: any program that fills a directory."""

from __future__ import annotations

from pathlib import Path

from lorchestra.base.errors import Code
from lorchestra.process import programs, runner
from lorchestra.stages.extract.sources.attempt import Attempt, AttemptResult, how_it_ended


def attempt(task: Attempt) -> AttemptResult:
    """Run the program as docs/contracts.md says. Raises Failure where it cannot be started."""
    settings = task.settings
    program, *words = settings["command"]
    argv = [str(programs.find(program)), *(word.replace("{output}", str(task.output)) for word in words)]
    finished = task.run(argv, cwd=Path(settings.get("cwd", task.scratch)), env=environment(task))
    ours = settings.get("exit_codes") == "ours"
    code = runner.code(finished, Code.SOURCE_FAILED) if ours else runner.foreign_code(finished)
    return AttemptResult(code, how_it_ended("the program", finished) if code else "", log=finished.log)


def environment(task: Attempt) -> dict[str, str]:
    """The allow-list, what `pass_env` names, and where to write what. Temporary files stay among the PHI."""
    return runner.environment(
        task.settings.get("pass_env", ()),
        LORCHESTRA_OUTPUT=str(task.output),
        LORCHESTRA_SOURCE=task.source.name,
        LORCHESTRA_DATE=task.date,
        TMPDIR=str(task.scratch),
    )
