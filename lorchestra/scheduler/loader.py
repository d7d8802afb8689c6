"""doit's way in: checks before any task, and the order of the selected stages.

Both `doit`, through `[tool.doit]` in pyproject.toml, and `lorchestra run` load their tasks here.
"""

from __future__ import annotations

import lorchestra.scheduler.startup  # noqa: F401 # first: it prepares for an interrupt during the imports

# isort: split
import atexit
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

from doit.cmd_base import DodoTaskLoader
from doit.exceptions import InvalidCommand, InvalidDodoFile, InvalidTask
from doit.loader import create_after

from lorchestra.base import program
from lorchestra.base.errors import Failure, from_os_error
from lorchestra.history.stages import STAGES
from lorchestra.planning import trusted_files
from lorchestra.planning.task_store import TaskStore
from lorchestra.scheduler import interrupts, selection
from lorchestra.scheduler.tasks import ATTEMPTED, DELIVERED, LATE, Pipeline

_WRITING = frozenset({"run", "forget", "ignore", "clean", "reset-dep"})
_SELECTING = _WRITING | {"info"}
_DOIT_ERRORS = (InvalidCommand, InvalidDodoFile, InvalidTask)


class Loader(DodoTaskLoader):
    """Loads the tasks of dodo.py, or of a given pipeline."""

    def __init__(self, pipeline: Pipeline | None = None) -> None:
        """With a pipeline, a Failure passes to the caller; without one, doit prints it."""
        super().__init__()
        self._pipeline = pipeline
        self._errors: AbstractContextManager[None] = nullcontext() if pipeline else _DoitErrors()
        self._options: dict[str, Any] = {}

    def setup(self, opt_values: dict[str, Any]) -> None:
        """Import dodo.py. doit prints a failure in pipeline.yaml as it prints its own, with exit status 3."""
        self._options = opt_values
        if self._pipeline:
            self.namespace = namespace(self._pipeline)
            return
        program.begin()
        sys.excepthook = _report_interrupt
        atexit.register(_flush)
        Pipeline.loader_is_active = True
        sys.modules.pop(Path(opt_values.get("dodoFile") or "").stem, None)  # imported halfway: see standalone.py
        with self._errors:
            trusted_files.require_project(
                Path(opt_values.get("cwdPath") or ""), opt_values.get("dodoFile") or "dodo.py"
            )
            super().setup(opt_values)
            if not isinstance(self.namespace.get("pipeline"), Pipeline):
                raise InvalidDodoFile("dodo.py defines no `pipeline`; see the dodo.py of lorchestra")
            _check_backend(self._options, self.namespace["pipeline"])

    def load_tasks(self, cmd: Any, pos_args: Sequence[str]) -> list[Any]:
        """The tasks for a command, in the order that its selection asks for."""
        pipeline: Pipeline = self.namespace["pipeline"]
        with self._errors:
            if cmd.dep_manager:  # None for `doit tabcompletion`
                pipeline.snapshot.store = _store(cmd)
            if cmd.name in _WRITING:
                pipeline.lock(f"doit {cmd.name}")
            cmd._execute = self._guarded(pipeline, cmd._execute)
            if cmd.name in _SELECTING and cmd.sel_tasks:
                cmd.sel_tasks = pipeline.select(cmd.sel_tasks)
                pos_args[:] = cmd.sel_tasks if pos_args else []  # type: ignore[index]  # doit looks at either
            if cmd.name == "clean" and not self._options["dryrun"]:
                pipeline.cleaner.confirm()
            if cmd.execute_tasks:
                self._prepare_run(pipeline, cmd)
            tasks: list[Any] = super().load_tasks(cmd, pos_args)
        return tasks

    def _guarded(self, pipeline: Pipeline, execute: Callable[..., Any]) -> Callable[..., Any]:
        """The command itself. doit would print its failures, such as a full log disk, as tracebacks.

        It also ends with 1 if nothing failed for doit, but a source was incomplete or delivered too little.
        """

        @functools.wraps(execute)  # doit reads the names of the parameters
        def guarded(*arguments: Any, **options: Any) -> Any:
            with self._errors:
                return execute(*arguments, **options) or int(pipeline.reporter.first_failure is not None)

        return guarded

    def _prepare_run(self, pipeline: Pipeline, cmd: Any) -> None:
        """Put the check first, and each selected stage behind the one that feeds it.

        doit would create the tasks of a stage before the preceding stage has made their files. `index` brings
        `canonize` with it; nothing but its own name selects `extract`.
        """
        interrupts.catch()
        options = self._options
        options["num_process"] = pipeline.threads(_jobs(options))
        pipeline.snapshot.store.begin_run()
        pipeline.reporter.verbose |= (options["verbosity"] or 0) > 1
        selected = list(cmd.sel_tasks)
        pipeline.begin(selected)
        if options["single"]:
            # Without the chain no task depends on another. doit would select its tasks twice, and lose them.
            options["single"] = False
        else:
            selected += self._chain(pipeline, selected)
        cmd.sel_tasks = ["phi", *(name for name in selected if name != "phi")]

    def _chain(self, pipeline: Pipeline, selected: list[str]) -> list[str]:
        """Delay the data stages; return the tasks of the second round, which late sources make necessary."""
        first, last = "canonize", "canonize"
        if selection.of_stage("index", selected):
            self._delay("index", after="canonize")
            last = "index"
        if not selection.of_stage("extract", selected):
            return []
        pipeline.expect_sources(selected)
        self.namespace[f"task_{ATTEMPTED}"] = pipeline.wait_for_first_attempts
        self._delay(first, after=ATTEMPTED)
        if not {first, last} & set(selected):
            return []
        self.namespace[f"task_{DELIVERED}"] = pipeline.wait_for_all_sources
        self._delay(DELIVERED, after=last)
        self._add_late("canonize", pipeline.canonize_late, after=DELIVERED)
        if last == "index":
            self._add_late("index", pipeline.index_late, after=f"{LATE}canonize")
            return [f"{LATE}canonize", f"{LATE}index"]
        return [f"{LATE}canonize"]

    def _add_late(self, stage: str, creator: Callable[[], Any], *, after: str) -> None:
        self.namespace[f"task_{LATE}{stage}"] = creator
        self._delay(f"{LATE}{stage}", after=after)

    def _delay(self, task: str, *, after: str) -> None:
        name = f"task_{task}"
        self.namespace[name] = create_after(executed=after)(_function(self.namespace[name], self._errors))


def namespace(pipeline: Pipeline) -> dict[str, Any]:
    """What dodo.py defines, for a pipeline that was loaded elsewhere."""
    creators = {f"task_{stage}": getattr(pipeline, stage) for stage in ("phi", *STAGES)}
    return {"pipeline": pipeline, "DOIT_CONFIG": pipeline.doit_config, **creators}


def _store(cmd: Any) -> TaskStore:
    store = cmd.dep_manager.backend
    if not isinstance(store, TaskStore):
        raise InvalidCommand("the pipeline has its own task store: leave --backend out")
    return store


def _check_backend(options: dict[str, Any], pipeline: Pipeline) -> None:
    """Refuse another backend before doit opens it: it cannot read the file of ours."""
    named = options.get("backend")
    if named not in (None, pipeline.doit_config["backend"]):
        raise InvalidCommand("the pipeline has its own task store: leave --backend out")


def _jobs(options: dict[str, Any]) -> int:
    """The number of jobs at once, from `-n`."""
    if options["par_type"] != "thread":
        raise InvalidCommand("tasks run in threads: leave --parallel-type out")
    jobs = int(options["num_process"])
    if jobs < 0:
        raise InvalidCommand(f"-n {jobs}: the number of jobs at once must be 1 or more")
    return max(1, jobs)


def _function(
    creator: Callable[[], Iterator[dict[str, Any]]], errors: AbstractContextManager[None]
) -> Callable[[], Iterator[dict[str, Any]]]:
    """A new function: doit marks the functions that it delays, and all pipelines share a method."""

    def delayed() -> Iterator[dict[str, Any]]:
        with errors:
            yield from creator()

    delayed.__doc__ = creator.__doc__
    return delayed


class _DoitErrors(AbstractContextManager[None]):
    """Turns a Failure, and a bug, into an error that doit prints as a sentence: otherwise it prints a traceback."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, BrokenPipeError):  # the reader has seen enough, as `head` has
            program.abandon(sys.stdout)
            return True
        if isinstance(error, OSError):
            error = from_os_error(error)
        if isinstance(error, Failure):
            raise InvalidCommand(f"{error.message}\n  {error.advice}") from None
        if isinstance(error, Exception) and not isinstance(error, _DOIT_ERRORS):
            raise InvalidCommand(f"unexpected {type(error).__name__} at {program.place(error)}") from None
        return False


def _flush() -> None:
    """Write what doit has printed, before Python does so and prints a traceback if the reader has gone."""
    try:
        sys.stdout.flush()
    except OSError:
        program.abandon(sys.stdout)


def _report_interrupt(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        interrupts.end("doit")
    program.tell("doit", f"unexpected {kind.__name__} at {program.place(error)}", "Please report this location.")
