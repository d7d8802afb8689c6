"""docs/tutorial.md works as printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8")


def test_every_command_of_the_tutorial_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for session in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for step in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            end = step.index("\nEND\n") + len("\nEND\n") if "<<'END'" in step else step.index("\n") + 1
            done = subprocess.run(
                step[:end], shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (step, done.stderr)
            assert step[end:] in done.stdout, step
