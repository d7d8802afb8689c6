"""The real Meltano, installed once, and a project whose plugins need nothing but Python."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.meltano.project import Project
from tests.stages.harness import Harness, open_harness

ROOT = Path(__file__).parents[2]
LOCKED = ROOT / "requirements" / "meltano.txt"
CONSTRAINTS = Path(__file__).parent / "plugins" / "target-jsonl-constraints.txt"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test starts Meltano, which takes seconds; the first one installs it."""
    if "LORCHESTRA_MELTANO" not in os.environ:
        skip = pytest.mark.skip(reason="needs Meltano: make test-meltano")
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def meltano_venv() -> Path:
    """Meltano as requirements/meltano.txt locks it, and inside it an environment with target-jsonl. Kept for later."""
    named = os.environ.get("LORCHESTRA_MELTANO_VENV")
    venv = Path(named) if named else ROOT / ".cache" / "meltano-venv"
    stamp, locked = venv / "locked", hashlib.sha256(LOCKED.read_bytes() + CONSTRAINTS.read_bytes()).hexdigest()
    venv.mkdir(parents=True, exist_ok=True)
    with (venv / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != locked:
            _install(venv, "--require-hashes", "-r", str(LOCKED))
            _install(venv / "target-jsonl", "-c", str(CONSTRAINTS), "target-jsonl")
            stamp.write_text(locked)
    return venv


def _install(venv: Path, *requirements: str) -> None:
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([*pip, *requirements], check=True)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    with open_harness(tmp_path) as harness:
        yield harness


@pytest.fixture
def project(harness: Harness, meltano_venv: Path) -> Project:
    return Project.create(harness, meltano_venv)


@pytest.fixture(scope="session")
def mail_server() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mail_server", ROOT / "examples" / "loopback" / "mail_server.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
