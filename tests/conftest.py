"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A pipeline of three sample sources; nothing has run yet."""
    return Project(tmp_path / "project")


@pytest.fixture
def built(project: Project) -> Project:
    """The same after one whole run."""
    project.run("doit")
    return project
