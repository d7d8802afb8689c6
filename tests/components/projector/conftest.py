"""Fixtures of the projector's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.components.projector.bench import Bench, contact, email


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty workbench."""
    return Bench(tmp_path)


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """Two days of mail and one of contacts, pulled."""
    bench.canonical("email-20251101.jsonl", map(email, range(6)))
    bench.canonical("email-20251102.jsonl", map(email, range(6, 10)))
    bench.canonical("contact-20251101.jsonl", [contact(1), contact(2, "Bo Example")])
    bench.pull()
    return bench
