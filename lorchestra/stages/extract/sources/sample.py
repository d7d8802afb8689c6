"""`type: sample`: the bundled sampler, so that a fresh machine has something to work on."""

from __future__ import annotations

from lorchestra.base.errors import Code
from lorchestra.process import programs, runner
from lorchestra.stages.extract.sources.attempt import Attempt, AttemptResult, how_it_ended
from lorchestra.stages.extract.sources.output_progress import OutputProgress
from lorchestra.stages.extract.sources.source_type import SourceType

_OPTIONS = ("days", "records", "seed", "malformed")


class Sample(SourceType):
    """Runs the bundled sampler."""

    def attempt(self, task: Attempt) -> AttemptResult:
        """Run `lorchestra-sample` (docs/contracts.md). Raises Failure(COMPONENT_MISSING).

        Names of sources are names of accounts. They are passed in the environment, because every user of the machine
        can read the arguments of programs.
        """
        settings = task.settings
        argv = [str(programs.find("lorchestra-sample")), settings["kind"]]
        argv += [f"--start={settings.get('start', task.date)}"]
        argv += [f"--{option}={settings[option]}" for option in _OPTIONS if option in settings]
        names = {"LORCHESTRA_SOURCE": task.source.name, "LORCHESTRA_OUTPUT": str(task.output)}
        if "canary" in settings:
            names["LORCHESTRA_CANARY"] = settings["canary"]
        counter = OutputProgress(task.output, task.progress)
        finished = task.run(argv, cwd=task.scratch, env=runner.environment(**names), on_tick=counter)
        code = runner.code(finished, Code.SOURCE_FAILED)
        return AttemptResult(code, how_it_ended("lorchestra-sample", finished) if code else "", log=finished.log)
