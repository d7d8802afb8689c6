"""Up-to-date checks: doit asks, the receipts and the store answer."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from doit.exceptions import InvalidTask

from lorchestra.base import program
from lorchestra.base.errors import Failure
from lorchestra.planning.plan import Target
from lorchestra.planning.snapshot import Snapshot

Tell = Callable[[str, str], None]
"""Gets a task's name and why it runs."""


class _Check(ABC):
    """An up-to-date check of a task. doit wants to know its parameters; to find them out anew for each is slow."""

    __signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("task", "values")]
    )

    def __call__(self, task: Any, values: Mapping[str, Any]) -> bool:
        """What goes wrong is told in words: doit would print a traceback."""
        try:
            return self._holds(task, values)
        except Failure as failure:
            told = failure.message
        except Exception as error:
            told = f"unexpected {type(error).__name__} at {program.place(error)}"
        raise InvalidTask(f"{task.name}: {told}")

    @abstractmethod
    def _holds(self, task: Any, values: Mapping[str, Any]) -> bool: ...


class Receipts:
    """doit's checker of single files, silenced.

    doit looks at a dependency after the action and at a target never. `Fresh` judges both, by what the canonizer
    says that it has read and written.
    """

    CheckerError = OSError

    def exists(self, path: str) -> bool:
        """A missing target is found by `Fresh`."""
        return True

    def info(self, path: str) -> None:
        """No dependency is looked at twice."""

    def check_modified(self, path: str, info: None, state: object) -> bool:
        """A changed dependency is found by `Fresh`."""
        return False

    def get_state(self, path: str, state: object) -> None:
        """Nothing is to be remembered."""


class Fresh(_Check):
    """Whether a canonical file is what it would be if it were made now."""

    def __init__(self, snapshot: Snapshot, target: Target, tell: Tell) -> None:
        self._survey = snapshot
        self._target = target
        self._tell = tell

    def _holds(self, task: Any, values: Mapping[str, Any]) -> bool:
        verdict = self._survey.verdict(self._target)
        if verdict.reasons:
            self._tell(task.name, "; ".join(verdict.reasons))
            task.value_savers.append(functools.partial(self._survey.signed, self._target))
        return not verdict.reasons

    def __repr__(self) -> str:
        return "; ".join(self._survey.verdict(self._target).reasons) or "as its receipt says"


class Held(_Check):
    """Whether the store says that it holds exactly the canonical files of a type as they lie there."""

    def __init__(self, snapshot: Snapshot, type_: str, tell: Tell) -> None:
        self._survey = snapshot
        self._type = type_
        self._tell = tell

    def _holds(self, task: Any, values: Mapping[str, Any]) -> bool:
        reason = self._survey.index_reasons().get(self._type)
        if reason:
            self._tell(task.name, reason)
        return reason is None

    def __repr__(self) -> str:
        return self._survey.index_reasons().get(self._type) or "held by the store"


class Always(_Check):
    """A task that runs each time that it is part of a run, and why."""

    def __init__(self, reason: str, tell: Tell) -> None:
        self._reason = reason
        self._tell = tell

    def _holds(self, task: Any, values: Mapping[str, Any]) -> bool:
        self._tell(task.name, self._reason)
        return False

    def __repr__(self) -> str:
        return self._reason
