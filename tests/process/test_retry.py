"""What is tried again, how often, and how long the waits are."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from lorchestra.base.errors import HANDLING, Code
from lorchestra.process.retry import retry


class Policy(NamedTuple):
    enabled: bool = True
    max_attempts: int = 3
    backoff_seconds: float = 60
    backoff_multiplier: float = 2


class Result(NamedTuple):
    code: Code | None
    attempt: int


class Story:
    """A source that answers with one code after the other, and the waits between."""

    def __init__(self, *codes: Code | None) -> None:
        self.codes = list(codes)
        self.slept: list[float] = []
        self.told: list[tuple[float, int]] = []

    def attempt(self, number: int) -> Result:
        return Result(self.codes.pop(0), number)

    def run(self, policy: Policy) -> Result:
        return retry(
            policy, self.attempt, sleep=self.slept.append, on_wait=lambda s, attempt: self.told.append((s, attempt))
        )


FAILED = Code.SOURCE_FAILED


def test_a_success_is_not_repeated() -> None:
    story = Story(None)
    assert story.run(Policy()) == Result(None, 1)
    assert story.slept == []


def test_three_attempts_wait_twice_and_each_wait_is_announced() -> None:
    story = Story(FAILED, FAILED, None)
    assert story.run(Policy()) == Result(None, 3)
    assert story.slept == [60, 120]
    assert story.told == [(60, 1), (120, 2)]


def test_the_spec_s_sequence_is_that_of_four_attempts() -> None:
    story = Story(FAILED, FAILED, FAILED, FAILED)
    assert story.run(Policy(max_attempts=4)) == Result(FAILED, 4)
    assert story.slept == [60, 120, 240]


def test_the_last_failure_comes_back_as_it_is() -> None:
    story = Story(FAILED, Code.TIMED_OUT)
    assert story.run(Policy(max_attempts=2)) == Result(Code.TIMED_OUT, 2)


def test_switched_off_means_one_attempt() -> None:
    story = Story(FAILED)
    assert story.run(Policy(enabled=False)) == Result(FAILED, 1)
    assert story.slept == []


@pytest.mark.parametrize("code", list(Code))
def test_the_table_alone_decides_what_is_retried(code: Code) -> None:
    story = Story(code, None)
    result = story.run(Policy(backoff_seconds=0))
    assert result == (Result(None, 2) if HANDLING[code].retry else Result(code, 1))


@pytest.mark.parametrize("code", [Code.USAGE, Code.CONFIG, Code.NOT_JSONL, Code.PERMISSION, Code.NO_SPACE, Code.BUSY])
def test_failures_that_need_a_person_are_never_retried(code: Code) -> None:
    assert Story(code, None).run(Policy()) == Result(code, 1)


def test_an_unexpected_exception_is_not_swallowed() -> None:
    def broken(_number: int) -> Result:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        retry(Policy(), broken)
