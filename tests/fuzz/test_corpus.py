"""Every input of the corpus, and some mutations of it that are the same in each run, leave the targets unharmed."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import fuzzer
from tests.fuzz.targets import TARGETS

MUTATIONS = 150


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_and_its_neighbours(target: str) -> None:
    inputs, source = fuzzer.corpus(target), random.Random(7)
    assert inputs
    for data in [*inputs, *(fuzzer.mutated(source, inputs) for _ in range(MUTATIONS))]:
        try:
            fuzzer.attempt(TARGETS[target], data)
        except (Exception, fuzzer.Slow) as error:
            pytest.fail(f"{type(error).__name__} for {data!r}")
