"""Disks and inodes that run out, and power that is cut, at many moments of a run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults import pipeline, power_cut
from tests.faults.pipeline import PROGRAMS, Scenario

POWER_CUTS = 12
"""For each program and state: 48 in all."""
FREE_KIB, FREE_INODES = range(8, 250, 24), range(2, 80, 8)
"""What a disk has left when the run begins."""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mkfs.ext4"), reason="needs root and mkfs.ext4, to mount file systems"
)
STATES = pytest.mark.parametrize("incremental", [False, True], ids=["fresh", "incremental"])
EVERY_PROGRAM = pytest.mark.parametrize("program", PROGRAMS)


def isolated(module: str, *arguments: str) -> list[str]:
    """Run a module of the tests with mounts of its own; what it found wrong."""
    command = ["unshare", "-m", sys.executable, "-m", f"tests.faults.{module}", *arguments]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert ended.stdout, ended.stderr
    wrong: list[str] = json.loads(ended.stdout.splitlines()[-1])
    return wrong


@STATES
@EVERY_PROGRAM
def test_power_cuts(tmp_path: Path, program: str, incremental: bool) -> None:
    scenario = Scenario(tmp_path, incremental=incremental)
    expected = power_cut.store(tmp_path / "expected", scenario.expected)
    image, point = tmp_path / "image", tmp_path / "mount"
    point.mkdir(mode=0o700)
    began = time.monotonic()
    pipeline.run(scenario.fresh(), PROGRAMS[program])
    duration = time.monotonic() - began
    with image.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    shutil.copytree(scenario.base.root, tmp_path / "content" / "project", symlinks=True)
    subprocess.run(["mkfs.ext4", "-q", "-d", str(tmp_path / "content"), str(image)], check=True)
    wrong = []
    for cut in range(POWER_CUTS):
        shutil.copy(image, tmp_path / "copy")
        seconds = str(0.15 + duration * cut / POWER_CUTS)
        found = isolated("power_cut", str(tmp_path / "copy"), str(point), seconds, str(expected), *PROGRAMS[program])
        wrong += [f"cut after {seconds} s: {fault}" for fault in found]
    print(f"power cuts, {program}: {POWER_CUTS}, {len(wrong)} violations")
    assert wrong == []


@STATES
@EVERY_PROGRAM
def test_full_disks(tmp_path: Path, program: str, incremental: bool) -> None:
    scenario = Scenario(tmp_path, incremental=incremental)
    expected = power_cut.store(tmp_path / "expected", scenario.expected)
    wrong, full = [], 0
    entries = [path.lstat() for path in (scenario.base.root / "phi-data").rglob("*")]
    used = sum((status.st_size + 4095) // 4096 * 4 for status in entries)
    sizes = [f"size={used + free}k" for free in FREE_KIB]
    for options in (*sizes, *(f"nr_inodes={len(entries) + 2 + free}" for free in FREE_INODES)):
        project = scenario.fresh()
        found = isolated("full_disk", str(project.root), options, str(expected), *PROGRAMS[program])
        if found and found[-1] in ("the disk was not full", "the state before the run does not fit"):
            continue
        full += 1
        wrong += [f"{options}: {fault}" for fault in found]
    print(f"full disks, {program}: {full}, {len(wrong)} violations")
    assert wrong == []
    assert full > 3
