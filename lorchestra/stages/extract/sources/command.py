"""`type: command`: any program that fills a directory."""

from __future__ import annotations

import json
from pathlib import Path

from lorchestra.base.errors import Code
from lorchestra.process import programs, runner
from lorchestra.stages.extract import loader_report
from lorchestra.stages.extract.sources.attempt import Attempt, AttemptResult, how_it_ended
from lorchestra.stages.extract.sources.output_progress import OutputProgress
from lorchestra.stages.extract.sources.source_type import SourceType
from lorchestra.storage import private

_SEARCHED = 256 * 1024
"""How much of a program's output is searched for records."""


class Command(SourceType):
    """Runs a program that fills a directory."""

    has_windows = has_full_refresh = True

    def attempt(self, task: Attempt) -> AttemptResult:
        """Run the program as docs/contracts.md describes. Raises Failure if it cannot be started."""
        settings = task.settings
        program, *words = settings["command"]
        with private.neutral_link(task.output) as output:
            argv = [str(programs.find(program)), *(word.replace("{output}", str(output)) for word in words)]
            cwd, counter = Path(settings.get("cwd", task.scratch)), OutputProgress(task.output, task.progress)
            finished = task.run(argv, cwd=cwd, env=environment(task) | _window(task), on_tick=counter)
        ours = settings.get("exit_codes") == "ours"
        code = runner.code(finished, Code.SOURCE_FAILED) if ours else runner.foreign_code(finished)
        if code:
            return AttemptResult(code, how_it_ended("the program", finished), log=finished.log)
        return AttemptResult(warning=_hint(task.output, finished.log), log=finished.log)


def _hint(output: Path, log: Path) -> str:
    """A warning if the program printed JSON objects and left no file: it takes its stdout for the output."""
    if any(output.iterdir()):
        return ""
    with log.open("rb") as file:
        lines = file.read(_SEARCHED).splitlines()
    if not any(_is_object(line) for line in lines):
        return ""
    return "the program printed JSON and left no file; if these are records, it must write them to $LORCHESTRA_OUTPUT"


def _is_object(line: bytes) -> bool:
    try:
        return line.startswith(b"{") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _window(task: Attempt) -> dict[str, str]:
    """The time window in the variables that `window` names, and what was asked for."""
    window = task.source.window
    if window is None:
        return {}
    asked = {"LORCHESTRA_FULL_REFRESH": "1"} if window.full_refresh else {}
    return asked | window.fill(task.settings.get("window", {}))


def environment(task: Attempt) -> dict[str, str]:
    """The allow-list, what `pass_env` names, and where to write what. Temporary files stay among the PHI."""
    return runner.environment(
        task.settings.get("pass_env", ()),
        LORCHESTRA_OUTPUT=str(task.output),
        LORCHESTRA_REPORT=str(task.output / loader_report.REPORT),
        LORCHESTRA_SOURCE=task.source.name,
        LORCHESTRA_DATE=task.date,
        TMPDIR=str(task.scratch),
    )
