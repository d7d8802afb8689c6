"""Run a program on a disk that is too small, enlarge the disk, run it again. Run this under `unshare -m`.

    python -m tests.faults.full_disk PROJECT OPTIONS EXPECTED PROGRAM...

OPTIONS are tmpfs's, such as `size=200k` or `nr_inodes=40`, for the PHI directory and the logs of PROJECT. EXPECTED is
as in power_cut. Prints what is wrong, as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.faults import pipeline, power_cut


def main() -> None:
    """Fill the disk with a run."""
    root, options, expected, *program = sys.argv[1:]
    project = pipeline.existing(Path(root))
    for name in ("phi-data", "logs"):
        directory = project.root / name
        saved = directory.with_name(f"{name}.saved")
        directory.mkdir(mode=0o700, exist_ok=True)
        shutil.copytree(directory, saved, symlinks=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"{options},mode=700", "none", str(directory)], check=True)
        try:
            shutil.copytree(saved, directory, symlinks=True, dirs_exist_ok=True)
        except (shutil.Error, OSError):
            print(json.dumps(["the state before the run does not fit"]))
            return
        shutil.rmtree(saved)
    os.umask(0o022)
    ended = pipeline.run(project, program)
    for name in ("phi-data", "logs"):
        larger = "remount,size=64m,nr_inodes=100000"
        subprocess.run(["mount", "-o", larger, str(project.root / name)], check=True)
    wrong = pipeline.check(project, ended, program, power_cut.stored(Path(expected)))
    print(json.dumps([*wrong, *([] if ended.returncode else ["the disk was not full"])]))


if __name__ == "__main__":
    main()
