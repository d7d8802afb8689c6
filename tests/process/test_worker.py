"""A worker pays its start once; whatever it does, a job gets its result or a failure, and no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.process import worker
from lorchestra.process.worker import Worker

SERVER = Path(__file__).parents[1] / "programs" / "job_server.py"


class Desk:
    """A directory with workers at work."""

    def __init__(self, root: Path) -> None:
        self.root, self.log, self.starts = root, root / "log", root / "starts"
        self.argv = (sys.executable, str(SERVER), str(self.starts))
        self._workers: list[Worker] = []
        self.env = {name: value for name, value in os.environ.items() if name == "PATH"}

    def current(self) -> Worker:
        """The running worker; a new one if the last one has ended."""
        if not self._workers or not self._workers[-1].alive:
            self._workers.append(self.new())
        return self._workers[-1]

    def stop(self) -> None:
        for started in self._workers:
            started.stop()

    def new(self, *argv: str, cwd: Path | None = None, log: Path | None = None) -> Worker:
        return Worker(argv or self.argv, cwd=cwd or self.root, env=self.env, log=log or self.log)

    def call(self, do: str, timeout_seconds: float | None = 20, **job: Any) -> dict[str, Any]:
        return self.current().call({"id": "job", "do": do, **job}, timeout_seconds)

    def failed(self, do: str, timeout_seconds: float | None = 20, **job: Any) -> Failure:
        with pytest.raises(Failure) as caught:
            self.call(do, timeout_seconds, **job)
        assert "Canary" not in caught.value.message
        assert caught.value.__context__ is None
        return caught.value

    def started(self) -> list[int]:
        return [int(line) for line in self.starts.read_text().splitlines() if line.isdigit()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.stop()
    if made.starts.exists():
        assert not [pid for pid in made.started() if alive(pid)], "no worker is left"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def test_one_program_answers_job_after_job(desk: Desk) -> None:
    pids = {desk.call("answer")["pid"] for _ in range(5)}
    assert pids == set(desk.started())
    assert len(pids) == 1


def test_an_answer_may_come_in_pieces(desk: Desk) -> None:
    assert desk.call("slowly") == {"id": "job", "status": "ok"}


def test_a_job_may_be_larger_than_a_pipe(desk: Desk) -> None:
    assert desk.call("answer", text="é" * 1_000_000)["length"] == 1_000_000


def test_what_it_prints_on_stderr_goes_to_a_private_log(desk: Desk) -> None:
    old = os.umask(0)
    desk.call("complain")
    os.umask(old)
    assert desk.log.read_text() == "to the log alone\n"
    assert desk.log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "fault",
    ["die", "garbage", "no object", "deep", "not UTF-8", "2 MB", "2 MB without an end", "wrong id", "empty line"],
)
def test_a_fault_costs_its_job_alone(desk: Desk, fault: str) -> None:
    before = desk.call("answer")["pid"]
    failure = desk.failed(fault)
    assert failure.code is Code.COMPONENT_CRASHED
    assert failure.message == f"the worker gave no answer; see {desk.log} (private)"
    assert not alive(before)
    assert desk.call("answer")["pid"] != before


def test_one_that_says_more_than_it_was_asked_is_replaced(desk: Desk) -> None:
    assert desk.call("twice") == {"id": "job", "status": "ok"}
    assert desk.call("answer")["status"] == "ok"
    assert len(desk.started()) == 2


def test_one_that_dies_after_its_answer_is_replaced(desk: Desk) -> None:
    before = desk.call("answer and die")["pid"]
    assert gone(before)
    assert desk.call("answer")["pid"] != before


def test_one_that_hangs_is_ended_in_time(desk: Desk) -> None:
    desk.call("answer")
    began = time.monotonic()
    failure = desk.failed("hang", 0.3)
    assert (failure.code, failure.retry) == (Code.TIMED_OUT, True)
    assert failure.message == "the worker gave no answer in 0.3 s and was ended"
    assert time.monotonic() - began < 60
    assert gone(desk.started()[0])
    assert desk.call("answer")["status"] == "ok"


def test_one_that_does_not_read_is_ended_in_time_too(desk: Desk) -> None:
    desk.call("deaf")
    assert desk.failed("answer", 0.3, text="x" * 1_000_000).code is Code.TIMED_OUT


def test_what_a_dead_one_left_running_is_ended(desk: Desk, tmp_path: Path) -> None:
    desk.failed("die and leave a child", pids=str(tmp_path / "pids"))
    assert gone(int((tmp_path / "pids").read_text()))


def test_stopping_lets_it_end_by_itself(desk: Desk) -> None:
    one = desk.new()
    one.call({"id": 1, "do": "answer"})
    one.stop(grace_seconds=20)
    assert desk.starts.read_text().endswith("ended at the end of its input\n")
    assert not one.alive
    one.stop()


def test_stopping_kills_one_that_does_not_end(desk: Desk) -> None:
    one = desk.new("sleep", "60")
    began = time.monotonic()
    one.stop(grace_seconds=0.1)
    assert not one.alive
    assert time.monotonic() - began < 10


def test_a_program_that_is_not_there_is_missing(desk: Desk) -> None:
    with pytest.raises(Failure) as caught:
        desk.new("/nowhere/can", "serve")
    assert (caught.value.code, caught.value.message) == (Code.COMPONENT_MISSING, "/nowhere/can: cannot be started")
    assert caught.value.__context__ is None


@pytest.mark.parametrize(("content", "mode", "code"), [
    ("no program", 0o700, Code.COMPONENT_MISSING), ("#!/nowhere/python\n", 0o700, Code.COMPONENT_MISSING),
    ("#!/bin/sh\n", 0o600, Code.PERMISSION),
])  # fmt: skip
def test_a_file_that_is_no_program_is_reported(desk: Desk, content: str, mode: int, code: Code) -> None:
    program = desk.root / "can"
    program.write_text(content)
    program.chmod(mode)
    with pytest.raises(Failure) as caught:
        desk.new(str(program))
    assert caught.value.code is code


def test_a_missing_directory_is_not_taken_for_a_missing_program(desk: Desk) -> None:
    for where in ({"cwd": desk.root / "nowhere"}, {"log": desk.root / "nowhere" / "log"}):
        with pytest.raises(Failure) as caught:
            desk.new(**where)
        assert caught.value.code is Code.MISSING
        assert "nowhere" in caught.value.message


def test_ctrl_c_during_a_job_ends_the_worker(desk: Desk) -> None:
    desk.call("answer")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            desk.call("hang")
    finally:
        signal.signal(signal.SIGALRM, old)
    assert gone(desk.started()[0])


def test_ctrl_c_in_the_terminal_does_not_reach_it(desk: Desk) -> None:
    pid = desk.call("answer")["pid"]
    assert os.getpgid(pid) == pid != os.getpgrp()


def test_another_thread_can_kill_it(desk: Desk) -> None:
    running = desk.current()
    desk.call("answer")
    threading.Timer(0.2, running.kill).start()
    assert desk.failed("hang").code is Code.COMPONENT_CRASHED
    assert gone(desk.started()[0])


def test_a_killed_owner_takes_its_worker_along(desk: Desk) -> None:
    script = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(Path(worker.__file__).parents[2])!r})
from lorchestra.process import worker
one = worker.Worker({desk.argv!r}, cwd=Path("."), env={{}}, log=Path("log"))
print(one.call({{"id": 1, "do": "deaf"}})["pid"], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=desk.root, capture_output=True, text=True, timeout=30, env=desk.env
    )
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout))


def test_progress_is_passed_on_before_the_result(desk: Desk) -> None:
    seen: list[tuple[int, int]] = []
    lines = [{"records_in": 5, "rejected": 0}, {"records_in": 9, "rejected": 1, "other": "Canary"}]
    job = {"id": "job", "do": "with progress", "progress_lines": lines}
    assert desk.current().call(job, 20, lambda *counts: seen.append(counts))["status"] == "ok"
    assert seen == [(5, 0), (9, 1)]


@pytest.mark.parametrize("counts", ["Canary", {"records_in": "Canary", "rejected": 0}, {"records_in": 1}])
def test_progress_that_is_not_counts_fails_the_job(desk: Desk, counts: Any) -> None:
    job = {"id": "job", "do": "with progress", "progress_lines": [counts]}
    seen: list[Any] = []
    with pytest.raises(Failure) as caught:
        desk.current().call(job, 20, lambda *given: seen.append(given))
    assert (caught.value.code, seen) == (Code.COMPONENT_CRASHED, [])
