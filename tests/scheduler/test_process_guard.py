"""What a run starts ends with it, however it is ended, and leaves the lock to the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import Project

SLOW = 'slow-one: {type: command, command: ["sh", "-c", "touch $LORCHESTRA_OUTPUT/../began; sleep 300 & sleep 300"]}'


def await_slow_one(project: Project) -> None:
    """Wait until the source that does not end has begun."""
    deadline = time.monotonic() + 30
    while not list((project.root / "phi-data/.work/staging").rglob("began")) and time.monotonic() < deadline:
        time.sleep(0.05)


def below(group: int) -> list[str]:
    """The processes that a run has started: those whose session it leads, and those they started in their own."""
    found, parents = [], {group}
    entries = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        pid, rest = int(text.split()[0]), text.rpartition(")")[2].split()
        entries[pid] = (int(rest[1]), int(rest[3]), rest[0])
    for _ in range(4):
        parents |= {pid for pid, (parent, session, _) in entries.items() if parent in parents or session in parents}
    for pid in parents - {group}:
        if pid in entries and entries[pid][2] != "Z":
            found.append(f"{pid}")
    return found


def running(pids: list[str]) -> list[str]:
    """Those that still run."""
    alive = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            alive.append(pid)
    return alive


def the_group_is_interrupted(pid: int) -> None:
    """Ctrl-C on a terminal."""
    os.killpg(pid, signal.SIGINT)


def the_run_is_terminated(pid: int) -> None:
    """What a service manager does."""
    os.kill(pid, signal.SIGTERM)


def the_run_is_killed(pid: int) -> None:
    """Nothing can be done about it any more, but by those it leaves behind."""
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("program", [("doit",), ("doit", "-n", "3"), ("lorchestra", "run")])
@pytest.mark.parametrize("end", [the_group_is_interrupted, the_run_is_terminated, the_run_is_killed])
def test_nothing_is_left(built: Project, end: Callable[[int], None], program: tuple[str, ...]) -> None:
    built.edit("    sources:\n", f"    sources:\n      {SLOW}\n")
    with built.start(*program) as child:
        await_slow_one(built)
        started = below(child.pid)
        assert started
        end(child.pid)
        out, err = child.communicate(timeout=30)
    assert "Traceback" not in out + err
    assert child.returncode == (-signal.SIGKILL if end is the_run_is_killed else 130)
    deadline = time.monotonic() + 15
    while running(started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(started) == []
    built.edit(f"      {SLOW}\n", "")
    assert not built.ran("doit", "canonize", "index")


@pytest.mark.parametrize(
    ("number", "told"),
    [(signal.SIGKILL, "was killed by signal 9, perhaps for want of memory"), (signal.SIGTERM, "ended with status 130")],
)
@pytest.mark.parametrize("program", [("doit",), ("lorchestra", "run")])
def test_a_lost_process_ends_the_run(built: Project, program: tuple[str, ...], number: int, told: str) -> None:
    """As a system takes one away that runs out of memory: nobody will send the result that the run waits for."""
    built.edit("    sources:\n", f"    sources:\n      {SLOW}\n")
    with built.start(*program) as child:
        await_slow_one(built)
        started = below(child.pid)
        time.sleep(1)  # the run looks at its processes twice a second
        worker = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()[0]
        os.kill(int(worker), number)
        out, err = child.communicate(timeout=30)
    assert child.returncode == 1
    assert f"a process of this run {told}" in err
    assert "Traceback" not in out + err
    assert built.state()["status"] == "INTERRUPTED"
    for pid in running(started):  # what a killed process had started lives on, until its source is asked again
        os.kill(int(pid), signal.SIGKILL)
    built.edit(f"      {SLOW}\n", "")
    assert not built.ran("doit", "canonize", "index")


def test_a_fault_in_the_run_itself_does_not_wait_for_its_processes() -> None:
    """As doit lets one pass while it still starts them."""
    script = (
        "import multiprocessing, time\n"
        "from lorchestra.scheduler import process_guard\n"
        "process_guard.govern()\n"
        "multiprocessing.Process(target=time.sleep, args=(300,)).start()\n"
        "raise SystemExit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=30, check=False).returncode == 7
