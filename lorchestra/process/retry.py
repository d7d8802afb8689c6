"""Try again, later and later, what may succeed without anybody's help.

Which failures are worth another attempt is said by `base.errors.HANDLING` and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from lorchestra.base.errors import HANDLING, Code


class Policy(Protocol):
    """`retry:` of a stage. `max_attempts` counts attempts: three of them wait twice."""

    @property
    def enabled(self) -> bool: ...
    @property
    def max_attempts(self) -> int: ...
    @property
    def backoff_seconds(self) -> float: ...
    @property
    def backoff_multiplier(self) -> float: ...


class Result(Protocol):
    """The outcome of an attempt. `code` is None if it succeeded."""

    @property
    def code(self) -> Code | None: ...


R = TypeVar("R", bound=Result)


def retry(
    policy: Policy,
    attempt: Callable[[int], R],
    *,
    sleep: Callable[[float], None] = time.sleep,
    on_wait: Callable[[float, int], None] | None = None,
) -> R:
    """The result of the first attempt that succeeds, or of the last one.

    `attempt` gets its number, from 1. Before each wait `on_wait` learns how long it takes (seconds) and the number
    of the attempt that failed. The waits are backoff, backoff * multiplier, backoff * multiplier^2, ...
    """
    first = attempt(1)
    if not policy.enabled or not _may_succeed_later(first):
        return first
    import tenacity  # too slow to be imported where nothing failed

    def announce(state: tenacity.RetryCallState) -> None:
        if on_wait and state.next_action:
            on_wait(state.next_action.sleep, state.attempt_number)

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(policy.max_attempts),
        wait=tenacity.wait_exponential(multiplier=policy.backoff_seconds, exp_base=policy.backoff_multiplier),
        retry=tenacity.retry_if_result(_may_succeed_later),
        retry_error_callback=_last,
        before_sleep=announce,
        sleep=sleep,
    )
    number = 0

    def numbered() -> R:
        nonlocal number
        number += 1
        return first if number == 1 else attempt(number)

    return retrying(numbered)


def _may_succeed_later(result: Result) -> bool:
    return result.code is not None and HANDLING[result.code].retry


def _last(state: object) -> object:
    return state.outcome.result()  # type: ignore[attr-defined]
