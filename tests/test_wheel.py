"""The wheel works outside a clone: the programs run, and the bundled registry is part of it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.harness import PIPELINE, ROOT

PROGRAMS = ("lorchestra", "can", "vector-projector", "lorchestra-sample", "lorchestra-mailbox", "target-lorchestra")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` directory of a new environment with the wheel; the dependencies are those of the tests."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(place), str(ROOT)]
    subprocess.run([*pip, *build], check=True, cwd=place)
    (wheel,) = place.glob("lorchestra-*.whl")
    venv.create(place / "venv", symlinks=True)
    python = place / "venv" / "bin" / "python"
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(place / "venv")}))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def run(program: Path, *argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment in a directory that is no clone."""
    env = {"PATH": f"{program.parent}:{os.defpath}", "HOME": str(cwd)}
    return subprocess.run([program, *argv], cwd=cwd, env=env, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_runs_outside_a_clone(installed: Path, tmp_path: Path, program: str) -> None:
    assert run(installed / program, "--version", cwd=tmp_path).stdout.startswith(program)
    assert program in run(installed / program, "--help", cwd=tmp_path).stdout


def test_the_bundled_registry_is_package_data(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "can", "transform", "list", cwd=tmp_path).stdout
    names = [path.name.removesuffix(".meta.yaml") for path in (ROOT / "transforms").rglob("*.meta.yaml")]
    assert names
    assert all(name in shown for name in names)
    imported = "import lorchestra, lorchestra.records.bundled as b; print(lorchestra.__file__); print(b.registry())"
    paths = run(installed / "python", "-c", imported, cwd=tmp_path).stdout.split()
    assert all(path.startswith(str(installed.parent)) for path in paths)


def test_a_pipeline_runs_with_the_bundled_registry(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE.replace("    registry: transforms\n", ""))
    shown = run(installed / "lorchestra", "run", cwd=tmp_path).stdout
    assert "extract" in shown
    found = run(
        installed / "vector-projector", "list", "email", "--store", "phi-data/vector-store", cwd=tmp_path
    ).stdout
    assert "2025-11-11" in found


MAIL = """\
From: Ada Example <ada@example.org>
To: practice@example.org
Subject: Quarterly invoice
Date: Wed, 12 Nov 2025 10:30:45 +0000
Message-ID: <one@example.org>

Please find the walrus statement attached.
"""


def test_a_newcomer_finds_a_mail_of_their_own(installed: Path, tmp_path: Path) -> None:
    """The commands of the first tutorial, from the wheel in an empty directory; nothing else is written by hand."""
    run(installed / "lorchestra", "init", "practice", cwd=tmp_path)
    practice = tmp_path / "practice"
    run(installed / "lorchestra", "run", cwd=practice)
    assert (
        "email"
        in run(
            installed / "vector-projector", "search", "session", "--store", "phi-data/vector-store", cwd=practice
        ).stdout
    )
    (practice / "takeout").mkdir(mode=0o700)
    (practice / "takeout" / "one.eml").write_text(MAIL)
    (practice / "takeout" / "one.eml").chmod(0o600)
    run(installed / "lorchestra", "add", "source", "mailbox", "takeout", cwd=practice)
    run(installed / "lorchestra", "validate", cwd=practice)
    run(installed / "lorchestra", "run", cwd=practice)
    shown = run(installed / "vector-projector", "search", "walrus", "--store", "phi-data/vector-store", cwd=practice)
    assert "Quarterly invoice" in shown.stdout
