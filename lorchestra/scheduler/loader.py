"""doit's way in: checks before any task, and the order of the stages that were asked for.

Both `doit`, by `[tool.doit]` in pyproject.toml, and `lorchestra run` load their tasks here.
"""

from __future__ import annotations

import fnmatch
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

from doit.cmd_base import DodoTaskLoader
from doit.exceptions import InvalidCommand, InvalidDodoFile, InvalidTask
from doit.loader import create_after

from lorchestra.base import program
from lorchestra.base.errors import Failure, from_os_error
from lorchestra.planning import trusted_files
from lorchestra.planning.config import STAGES
from lorchestra.planning.task_store import TaskStore
from lorchestra.scheduler import process_guard
from lorchestra.scheduler.tasks import Pipeline

_WRITING = frozenset({"run", "forget", "ignore", "clean", "reset-dep"})
_EXTRACTED = "_extracted"
_DOIT_S_OWN = (InvalidCommand, InvalidDodoFile, InvalidTask)


class Loader(DodoTaskLoader):
    """Loads the tasks of dodo.py, or of a pipeline that is handed over."""

    def __init__(self, pipeline: Pipeline | None = None) -> None:
        """With a pipeline, a Failure passes to the caller; without one, doit tells it in words."""
        super().__init__()
        self._pipeline = pipeline
        self._words: AbstractContextManager[None] = nullcontext() if pipeline else _Worded()

    def setup(self, opt_values: dict[str, Any]) -> None:
        """Import dodo.py. A fault in pipeline.yaml is told as doit tells its own: in words, with exit status 3."""
        if self._pipeline:
            self.namespace = namespace(self._pipeline)
            return
        program.begin()
        sys.excepthook = _quiet_interrupt
        with self._words:
            trusted_files.require_project(
                Path(opt_values.get("cwdPath") or ""), opt_values.get("dodoFile") or "dodo.py"
            )
            super().setup(opt_values)

    def load_tasks(self, cmd: Any, pos_args: Sequence[str]) -> list[Any]:
        """The tasks for a command, in the order that its selection asks for."""
        pipeline: Pipeline = self.namespace["pipeline"]
        with self._words:
            pipeline.snapshot.store = _store(cmd)
            if cmd.name in _WRITING:
                pipeline.lock()
            cmd._execute = self._worded(cmd._execute)
            if cmd.execute_tasks:
                process_guard.govern()
                self._chain(cmd)
            tasks: list[Any] = super().load_tasks(cmd, pos_args)
        return tasks

    def _worded(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """The command itself, whose failures (a full log disk) doit would print as tracebacks, too."""

        @functools.wraps(execute)  # doit reads the names of the parameters
        def worded(*arguments: Any, **options: Any) -> Any:
            with self._words:
                return execute(*arguments, **options)

        return worded

    def _chain(self, cmd: Any) -> None:
        """Put the check first, and each selected stage behind the one that feeds it.

        doit would list a stage's files before the stage in front of it has made them. `index` asks for `canonize`;
        nothing but its own name asks for `extract`.
        """
        selected = list(cmd.sel_tasks)
        self.namespace["pipeline"].log.event("run_started", tasks=selected)
        extraction = _selecting("extract", selected)
        if extraction:
            self.namespace[f"task_{_EXTRACTED}"] = _group(extraction)
            self._delay("canonize", _EXTRACTED)
        if _selecting("index", selected):
            self._delay("index", "canonize")
        cmd.sel_tasks = ["phi", *(name for name in selected if name != "phi")]

    def _delay(self, stage: str, after: str) -> None:
        name = f"task_{stage}"
        self.namespace[name] = create_after(executed=after)(_function(self.namespace[name], self._words))


def namespace(pipeline: Pipeline) -> dict[str, Any]:
    """What dodo.py holds, for a pipeline that was loaded elsewhere."""
    creators = {f"task_{stage}": getattr(pipeline, stage) for stage in ("phi", *STAGES)}
    return {"pipeline": pipeline, "DOIT_CONFIG": pipeline.doit_config, **creators}


def _store(cmd: Any) -> TaskStore:
    store = cmd.dep_manager.backend
    if not isinstance(store, TaskStore):
        raise InvalidCommand("the pipeline keeps its own task store: leave --backend out")
    return store


def _selecting(stage: str, selected: Iterable[str]) -> list[str]:
    """The words of a selection that mean a stage or tasks of it."""
    return [
        word for word in selected if word.partition(":")[0] == stage or ("*" in word and fnmatch.fnmatch(stage, word))
    ]


def _group(tasks: list[str]) -> Callable[[], dict[str, Any]]:
    def creator() -> dict[str, Any]:
        return {"actions": None, "task_dep": tasks}

    return creator


def _function(
    creator: Callable[[], Iterator[dict[str, Any]]], words: AbstractContextManager[None]
) -> Callable[[], Iterator[dict[str, Any]]]:
    """A function of its own: doit marks the functions it delays, and a method is shared by all pipelines."""

    def delayed() -> Iterator[dict[str, Any]]:
        with words:
            yield from creator()

    delayed.__doc__ = creator.__doc__
    return delayed


class _Worded(AbstractContextManager[None]):
    """Turns a Failure, and a fault of ours, into an error that doit tells in words: else it prints a traceback."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            error = from_os_error(error)
        if isinstance(error, Failure):
            raise InvalidCommand(f"{error.message}\n  {error.advice}") from None
        if isinstance(error, Exception) and not isinstance(error, _DOIT_S_OWN):
            raise InvalidCommand(f"unexpected {type(error).__name__} at {program.place(error)}") from None


def _quiet_interrupt(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        process_guard.end("doit", error)
    program.tell("doit", f"unexpected {kind.__name__} at {program.place(error)}", "Report this place.")
