"""Fixtures that several test files share."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from benchmarks.cost import children
from lorchestra.process import guard
from lorchestra.storage import trust
from tests.harness import ROOT, Project

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and every program that a test starts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


os.umask(0o022)

# The same examples in every run, so that a change fails its own tests only, and no limit that a busy machine exceeds.
# The sweeps search for new examples.
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=not {"LORCHESTRA_FAULTS", "LORCHESTRA_HISTORIES"} & os.environ.keys(),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")


def pytest_sessionstart() -> None:
    """Say at once what would make every run of the programs be refused."""
    exposures = list(trust.examine_ways([ROOT / "dodo.py", Path(tempfile.gettempdir()) / "new"]))
    if exposures:
        pytest.exit("\n".join(map(str, exposures)) + "\nThe programs refuse to run here, so the tests cannot.", 4)
    guard.forget(0)  # starts the shell that runs as long as this process, so that it is no leftover of a test


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Give each test the same umask: a test that calls a program's entry point in this process changes it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def no_program_is_left_running() -> Iterator[None]:
    """Fail a test that leaves a program running: it would slow down every later test, or make one wait for ever."""
    before = children()
    yield
    left = children() - before
    for child in left:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert not left, f"{len(left)} programs are still running"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A pipeline of three sample sources; nothing has run yet."""
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same after one complete run. Tests must not change it."""
    project = Project(tmp_path_factory.mktemp("built") / "project")
    project.run("doit")
    return project


@pytest.fixture
def built(built_once: Project, tmp_path: Path) -> Project:
    """A copy of it for one test."""
    return built_once.copy(tmp_path / "project")
