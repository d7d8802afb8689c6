"""Run tasks through doit from our own command line."""

from __future__ import annotations

from collections.abc import Sequence

from doit.cmd_run import Run

from lorchestra.base.errors import OUTCOMES, Exit
from lorchestra.graph.loader import Loader
from lorchestra.graph.pipeline import Pipeline

_BACKENDS = {"BACKEND": {"lorchestra": "lorchestra.graph.store:TaskStore"}}


def execute(pipeline: Pipeline, selection: Sequence[str]) -> Exit:
    """Do what `doit run SELECTION` does; return what the first failure stands for.

    Raises Failure where nothing could begin, KeyboardInterrupt when the run was broken off; its record is written then.
    """
    command = Run(task_loader=Loader(pipeline), config=_BACKENDS, bin_name="lorchestra", cmds=None, opt_vals={})
    status = command.parse_execute(list(selection))
    if pipeline.reporter.first_failure:
        return OUTCOMES[pipeline.reporter.first_failure].exit
    return Exit.UNEXPECTED if status else Exit.OK
