"""`make` names what is missing on a bare machine, and installs only what is locked."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness import ROOT


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout without an environment."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def make(place: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run make there."""
    return subprocess.run(["make", *argv], cwd=place, capture_output=True, text=True, check=False)


def python(place: Path, script: str) -> str:
    """A stand-in for an interpreter, which lacks something."""
    path = place / "python-without"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"PYTHON={path}"


@pytest.mark.parametrize("target", ["pipeline", "test"])
def test_no_python(bare: Path, target: str) -> None:
    run = make(bare, target, "PYTHON=")
    assert run.returncode == 2
    assert "Python 3.11 or newer is needed and none is on the PATH" in run.stderr


@pytest.mark.parametrize("interpreter", ["PYTHON=/no/such/python", "PYTHON=/bin/false"])
def test_a_wrong_python(bare: Path, interpreter: str) -> None:
    run = make(bare, "pipeline", interpreter)
    assert run.returncode == 2
    assert "Python 3.11 or newer is needed and" in run.stderr
    assert "make PYTHON=/path/to/python3.11" in run.stderr


def test_a_python_without_venv(bare: Path) -> None:
    run = make(bare, "pipeline", python(bare, 'case "$2" in *venv*) exit 1;; esac; exit 0'))
    assert run.returncode == 2
    assert "lacks the venv module" in run.stderr
    assert "apt install python3-venv" in run.stderr


def test_help_is_what_make_alone_prints(bare: Path) -> None:
    assert "make pipeline" in make(bare).stdout


def test_every_requirement_is_pinned_with_hashes_and_names_no_index() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text and "--index" not in text and "--find" not in text
        for requirement in re.findall(r"^[a-z](?:[^\n]|\n +)*", text, re.MULTILINE):
            assert "==" in requirement and "--hash=sha256:" in requirement, requirement
