"""Run in a mount namespace of its own: the PHI directory lies on a small disk, which is full before the records end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lorchestra.base.errors import Code
from tests.meltano.project import ACCOUNTS, Project
from tests.stages.harness import Harness


def main() -> None:
    root, venv = map(Path, sys.argv[1:])
    project = Project(Harness(root), venv, root / "meltano")
    project.receive(range(1, 31), "PHI-Canary" + "x" * 100_000)
    for size in ("1m", "4m"):  # at first no room to stage all records, then none to publish them
        options = f"mode=700,size={size}" if size == "1m" else f"remount,size={size}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", root / "phi"], check=True)
        for directory in (project.harness.raw, project.harness.work):
            directory.mkdir(exist_ok=True)
        result = project.run(attempts=3)
        assert (result.code, result.attempts) == (Code.NO_SPACE, 1), result
        assert not list(project.harness.raw.glob(".*")), "no half-written file stays"
    subprocess.run(["mount", "-o", "remount,size=40m", root / "phi"], check=True)
    project.settle()
    assert len(project.harness.records(f"{ACCOUNTS[0]}-20251112.jsonl")) == 30


if __name__ == "__main__":
    main()
