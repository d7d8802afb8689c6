"""Fixtures of the projector's tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.components.projector.harness import Bench, contact, email


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty workbench."""
    return Bench(tmp_path)


@pytest.fixture(scope="session")
def pulled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of mail and one of contacts, pulled."""
    bench = Bench(tmp_path_factory.mktemp("pulled"))
    bench.canonical("email-20251101.jsonl", map(email, range(6)))
    bench.canonical("email-20251102.jsonl", map(email, range(6, 10)))
    bench.canonical("contact-20251101.jsonl", [contact(1), contact(2, "Bo Example")])
    bench.pull()
    return bench.root


@pytest.fixture
def filled(pulled_once: Path, tmp_path: Path) -> Bench:
    """A copy of it. To the store its canonical files look touched, with the content that it knows."""
    shutil.copytree(pulled_once, tmp_path, dirs_exist_ok=True)
    return Bench(tmp_path)
