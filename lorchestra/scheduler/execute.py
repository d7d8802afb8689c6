"""Run tasks through doit from our own command line."""

from __future__ import annotations

from collections.abc import Sequence

from doit.cmd_run import Run

from lorchestra.base.errors import HANDLING, Exit
from lorchestra.scheduler import interrupts
from lorchestra.scheduler.loader import Loader
from lorchestra.scheduler.standalone import SETTINGS
from lorchestra.scheduler.tasks import Pipeline


def execute(pipeline: Pipeline, selection: Sequence[str]) -> Exit:
    """Do what `doit run SELECTION` does; return the exit status of the first failure.

    Raises Failure if nothing could begin. Does not return from a run that was interrupted, after recording it.
    """
    command = Run(task_loader=Loader(pipeline), config=SETTINGS, bin_name="lorchestra", cmds=None, opt_vals={})
    try:
        status = command.parse_execute(list(selection))
    except KeyboardInterrupt:
        interrupts.end("lorchestra")
    if pipeline.reporter.first_failure:
        return HANDLING[pipeline.reporter.first_failure].exit
    return Exit.UNEXPECTED if status else Exit.OK
