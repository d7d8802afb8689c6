"""Start a program on a file system of its own, cut its power, start the program again. Run it under `unshare -m`.

    python -m tests.faults.power_cut IMAGE MOUNT_POINT SECONDS EXPECTED PROGRAM...

IMAGE holds an ext4 file system with a project in `project`. The power goes after SECONDS: the ioctl EXT4_IOC_SHUTDOWN
drops everything that was not synchronized, and every later write fails. EXPECTED is a file with what a complete run
builds. Prints what is wrong, as JSON: an empty list if nothing is.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

from tests.faults import pipeline
from tests.faults.pipeline import Result

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_NO_LOG_FLUSH = 2


def main() -> None:
    """Cut the power during a run, run again, print what is wrong."""
    image, point, seconds, expected, *program = sys.argv[1:]
    _mount(image, point)
    project = pipeline.existing(Path(point) / "project")
    child = project.start(*program)
    time.sleep(float(seconds))
    _cut(point)
    try:
        out, err = child.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        child.kill()
        print(json.dumps(["the program hangs after the power cut"]))
        return
    ended = subprocess.CompletedProcess(program, child.returncode, out, err)
    _unmount(point)
    _mount(image, point)
    wrong = pipeline.check(project, ended, program, stored(Path(expected)))
    _unmount(point)
    print(json.dumps(wrong))


def store(path: Path, result: Result) -> Path:
    """Write a result to a file, for `stored`; return the path."""
    path.write_text(json.dumps([{name: content.hex() for name, content in part.items()} for part in result]))
    return path


def stored(path: Path) -> Result:
    """The result in a file."""
    parts = json.loads(path.read_text())
    return Result(*({name: bytes.fromhex(content) for name, content in part.items()} for part in parts))


def _mount(image: str, point: str) -> None:
    subprocess.run(["mount", "-o", "loop", image, point], check=True)
    if os.stat(point).st_dev == os.stat("/").st_dev:
        raise SystemExit("not mounted")  # the shutdown would hit the machine's own file system


def _unmount(point: str) -> None:
    for _ in range(50):
        if subprocess.run(["umount", point], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise SystemExit("cannot be unmounted: a program still runs there")


def _cut(point: str) -> None:
    descriptor = os.open(point, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
