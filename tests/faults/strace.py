"""Killing and failing the real program at a chosen system call, by strace's fault injection."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

WRITING = (
    "openat", "write", "pwrite64", "rename", "unlink", "mkdir", "fsync", "fdatasync", "syncfs", "ftruncate", "close",
)  # fmt: skip
_CALL = re.compile(r"^\d+ +(\w+)\(", re.MULTILINE)


def available() -> bool:
    """Whether strace is there and may trace."""
    path = shutil.which("strace")
    return path is not None and subprocess.run([path, "-qq", "true"], capture_output=True, check=False).returncode == 0


def calls(command: Sequence[str], log: Path) -> Counter[str]:
    """Run a command; how often it made each of the WRITING calls."""
    _strace(command, ["-o", str(log), "-e", f"trace={','.join(WRITING)}"])
    return Counter(_CALL.findall(log.read_text(errors="replace")))


def inject(command: Sequence[str], call: str, fault: str, when: str) -> int:
    """Run a command with a fault at the calls that `when` names; return its exit status, negative for a signal."""
    return _strace(command, ["-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}"])


def _strace(command: Sequence[str], arguments: Sequence[str]) -> int:
    ended = subprocess.run(
        ["strace", "-f", "-qq", *arguments, *command], capture_output=True, check=False, env=environment(), timeout=120
    )
    return ended.returncode


def environment() -> dict[str, str]:
    """The environment of a program that gets faults: without coverage, which would get them, too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


def spread(counts: Counter[str], start: Counter[str], points: int) -> list[tuple[str, int]]:
    """About so many (call, which) pairs, evenly over all that a program does beyond starting up."""
    every = [(call, n) for call in WRITING for n in range(start[call] + 1, counts[call] + 1)]
    step = max(1, len(every) // points)
    return every[::step]


def per_process(log: Path) -> Counter[str]:
    """From a trace of several processes: how often each call was made by the process that made it most.

    Counts of injections are kept per process, too.
    """
    by_process: dict[str | None, Counter[str]] = {}
    for line in log.read_text(errors="replace").splitlines():
        if match := re.match(r"(?:(\d+) +)?(\w+)\(", line):
            by_process.setdefault(match[1], Counter())[match[2]] += 1
    most = Counter[str]()
    for counts in by_process.values():
        most |= counts
    return most


def tracing(calls: Sequence[str], log: Path, *, follow: bool) -> list[str]:
    """The command that runs another one and writes its calls to `log`; with `follow` also those of its children."""
    return [*_following(follow), "-o", str(log), "-e", f"trace={','.join(calls)}"]


def injection(call: str, fault: str, when: str, *, follow: bool) -> list[str]:
    """The command that runs another one with a fault; with `follow` its threads and children get it, too."""
    # With --seccomp-bpf, strace 6.1 delivers injected signals to some processes only.
    fast = fault.startswith("error")
    return [
        *_following(follow, fast),
        "-o",
        "/dev/null",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:{fault}:when={when}",
    ]


def _following(follow: bool, fast: bool = True) -> list[str]:
    """Tracing children, too; `fast` stops them at the calls in question only."""
    return ["strace", "-qq", *(("-f",) if follow else ()), *(("--seccomp-bpf",) if follow and fast else ())]
