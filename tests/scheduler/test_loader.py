"""A full log disk: what failed and where is reported, without a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness import BIN, Project

_BLOCKS = 4
_SCRIPT = f"""
mount -t tmpfs -o size={_BLOCKS * 4}k none logs && chmod 700 logs || exit 99
head -c $1 /dev/zero > logs/filler; chmod 600 logs/filler; shift
"$@"
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root, to mount a small file system")
@pytest.mark.parametrize("free_blocks", [0, 1, 2, 3])
@pytest.mark.parametrize(("command", "status"), [(["doit"], 3), (["doit", "-n", "2"], 3), (["lorchestra", "run"], 6)])
def test_a_full_log_disk(project: Project, free_blocks: int, command: list[str], status: int) -> None:
    (project.root / "logs").mkdir()
    filler = str((_BLOCKS - free_blocks) * 4096)
    program = [str(BIN / command[0]), *command[1:]]
    ended = subprocess.run(
        ["unshare", "-m", "sh", "-c", _SCRIPT, "sh", filler, *program],
        cwd=project.root, capture_output=True, text=True, umask=0o077,
    )  # fmt: skip
    if ended.returncode == 99:
        pytest.skip("this system allows no mounts")
    output = ended.stdout + ended.stderr
    assert ended.returncode == status, output
    assert "Traceback" not in output
    assert f"{Path('logs').absolute().name}/" in output
    assert "no space left on device (ENOSPC)" in output
