"""What a program costs: CPU and wall time of all the processes that it starts, in seconds."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

_PR_SET_CHILD_SUBREAPER = 36
_NONE: Mapping[str, str] = MappingProxyType({})


class Cost(NamedTuple):
    """Seconds. `cpu` is user and system time of the whole process tree, `wall` that of the program itself."""

    cpu: float
    wall: float


class Broken(Exception):
    """A measured program failed; its last words are the message. All data of a benchmark is synthetic."""


def adopt_orphans() -> None:
    """Become the parent of processes that outlive theirs, so that their time is counted too (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def measure(argv: Sequence[str | Path], cwd: Path, settings: Mapping[str, str] = _NONE) -> Cost:
    """Run a program to its end, and wait for what it left running. Raises Broken where it fails.

    `settings` are added to the environment. Python keeps its compiled modules, as it does for everybody.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as words:
        others, before, began = children(), _cpu_of_children(), time.perf_counter()
        child = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
        )
        status = child.wait()
        wall = time.perf_counter() - began
        _wait_for_orphans(others)
        if status:
            words.seek(max(0, words.tell() - 2000))
            raise Broken(f"{Path(argv[0]).name} ended with status {status}:\n{words.read().decode(errors='replace')}")
    return Cost(_cpu_of_children() - before, wall)


def median(costs: Sequence[Cost]) -> Cost:
    """The medians of CPU and of wall time, each by itself."""
    return Cost(statistics.median(c.cpu for c in costs), statistics.median(c.wall for c in costs))


def peak_memory(argv: Sequence[str | Path]) -> int:
    """Run a program to its end; bytes of memory, the peaks of its processes summed (Linux). Raises Broken."""
    peaks: dict[int, int] = {}
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        while child.poll() is None:
            for process in _tree(child.pid):
                with contextlib.suppress(OSError, StopIteration):  # it has just ended
                    status = Path(f"/proc/{process}/status").read_text().splitlines()
                    peaks[process] = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024
            time.sleep(0.05)
    if child.returncode:
        raise Broken(f"{Path(argv[0]).name} ended with status {child.returncode}")
    return sum(peaks.values())


def _tree(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [process, *(found for child in children for found in _tree(int(child)))]
    return []


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def children() -> set[int]:
    """Process ids of the children of this process. Empty where there is no /proc."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(child) for children in lists for child in children.read_text().split()}


def _wait_for_orphans(others: set[int]) -> None:
    """Wait for every child except `others`: these were there before the measured program, and may run for ever."""
    while orphans := children() - others:
        for orphan in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(orphan, 0)
