"""Fixtures that several test files share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.harness import Project

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and every program that a test starts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A pipeline of three sample sources; nothing has run yet."""
    return Project(tmp_path / "project")


@pytest.fixture
def built(project: Project) -> Project:
    """The same after one complete run."""
    project.run("doit")
    return project
