"""`type: sample`: the bundled sampler, so that a fresh machine has something to work on."""

from __future__ import annotations

from lorchestra.base.errors import Code
from lorchestra.process import programs, runner
from lorchestra.stages.extract.sources.attempt import Attempt, AttemptResult, how_it_ended

_OPTIONS = ("days", "records", "seed", "malformed", "canary")


def attempt(task: Attempt) -> AttemptResult:
    """Run `lorchestra-sample` (docs/contracts.md). Raises Failure(COMPONENT_MISSING)."""
    settings = task.settings
    argv = [str(programs.find("lorchestra-sample")), settings["kind"], f"--name={task.source.name}"]
    argv += [f"--output={task.output}", f"--start={settings.get('start', task.date)}"]
    argv += [f"--{option}={settings[option]}" for option in _OPTIONS if option in settings]
    finished = task.run(argv, cwd=task.scratch, env=runner.environment())
    code = runner.code(finished, Code.SOURCE_FAILED)
    return AttemptResult(code, how_it_ended("lorchestra-sample", finished) if code else "", log=finished.log)
