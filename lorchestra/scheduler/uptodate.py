"""Up-to-date checks: doit asks, the lineage files and the store answer."""

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

SetReason = Callable[[str, str], None]
"""Takes a task's name and why it runs."""


class _Check(ABC):
    """An up-to-date check of a task."""

    # doit asks for the parameters of each check; working them out for thousands of tasks is slow.
    __signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("task", "values")]
    )

    def __call__(self, task: Any, values: Mapping[str, Any]) -> bool:
        """Report a failure as a sentence: doit would print a traceback."""
        try:
            return self._is_up_to_date(task)
        except Failure as failure:
            message = failure.message
        except Exception as error:
            message = f"unexpected {type(error).__name__} at {program.place(error)}"
        raise InvalidTask(f"{task.name}: {message}") from None

    @abstractmethod
    def _is_up_to_date(self, task: Any) -> bool: ...


class LineageChecker:
    """doit's checker of single files, switched off.

    doit looks at a dependency after the action, and never at a target. `Canonical` judges both by what the canonizer
    reports that it read and wrote.
    """

    CheckerError = OSError

    def exists(self, path: str) -> bool:
        """`Canonical` finds a missing target."""
        return True

    def info(self, path: str) -> None:
        """No dependency is looked at twice."""

    def check_modified(self, path: str, info: None, state: object) -> bool:
        """`Canonical` finds a changed dependency."""
        return False

    def get_state(self, path: str, state: object) -> None:
        """Nothing needs to be remembered."""


class Canonical(_Check):
    """Whether a canonical file is what it would be if it were built now."""

    def __init__(self, snapshot: Snapshot, target: Target, set_reason: SetReason) -> None:
        self._snapshot = snapshot
        self._target = target
        self._set_reason = set_reason

    def _is_up_to_date(self, task: Any) -> bool:
        verdict = self._snapshot.verdict(self._target)
        if verdict.reasons:
            self._set_reason(task.name, "; ".join(verdict.reasons))
            task.value_savers.append(functools.partial(self._snapshot.signed, self._target))
        return not verdict.reasons

    def __repr__(self) -> str:
        return "; ".join(self._snapshot.verdict(self._target).reasons) or "matches its lineage"


class Indexed(_Check):
    """Whether the store reports that it holds exactly the canonical files of a type."""

    def __init__(self, snapshot: Snapshot, type_: str, set_reason: SetReason) -> None:
        self._snapshot = snapshot
        self._type = type_
        self._set_reason = set_reason

    def _is_up_to_date(self, task: Any) -> bool:
        reason = self._snapshot.index_reasons().get(self._type)
        if reason:
            self._set_reason(task.name, reason)
        return reason is None

    def __repr__(self) -> str:
        return self._snapshot.index_reasons().get(self._type) or "held by the store"


class Always(_Check):
    """For a task that runs each time that it is selected, and why."""

    def __init__(self, reason: str, set_reason: SetReason) -> None:
        self._reason = reason
        self._set_reason = set_reason

    def _is_up_to_date(self, task: Any) -> bool:
        self._set_reason(task.name, self._reason)
        return False

    def __repr__(self) -> str:
        return self._reason
