"""Programs are started, watched and ended as the contract says. Every child here is a real one."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.process import runner
from lorchestra.storage import private

ENV = {"PATH": os.environ["PATH"]}


def run(tmp_path: Path, *argv: str, **options: object) -> runner.Finished:
    return runner.run(argv, cwd=tmp_path, env=ENV, log=tmp_path / "log", **options)  # type: ignore[arg-type]


def shell(tmp_path: Path, script: str, **options: object) -> runner.Finished:
    return run(tmp_path, "sh", "-c", script, **options)


def gone(pid: int, seconds: float = 3) -> bool:
    """Whether a process ends, as a zombie or wholly, within some seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_what_a_program_prints_goes_to_a_private_file_and_its_status_comes_back(tmp_path: Path) -> None:
    os.umask(0o022)
    finished = shell(tmp_path, "echo out; echo err >&2; umask; exit 7")
    assert (finished.status, finished.timed_out, finished.log_bytes) == (7, False, 13)
    assert finished.log.read_text() == "out\nerr\n0077\n"
    assert stat.S_IMODE(finished.log.stat().st_mode) == 0o600


def test_a_log_is_a_new_file_and_never_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    shell(tmp_path, "echo new")
    assert (tmp_path / "log").read_text() == "new\n"
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_data_can_go_in_and_out_through_files(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a\nb\n")
    shell(tmp_path, "tr a-z A-Z; echo note >&2", stdin=tmp_path / "in", stdout=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "A\nB\n"
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600
    assert (tmp_path / "log").read_text() == "note\n"


def test_nothing_of_our_environment_leaks_but_what_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GMAIL_TOKEN", "named")
    monkeypatch.setenv("AWS_SECRET", "not named")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    env = runner.environment(["GMAIL_TOKEN", "NOT_SET"], EXTRA="1")
    assert env["GMAIL_TOKEN"] == "named"
    assert env["EXTRA"] == "1"
    assert not {"AWS_SECRET", "PYTHONPATH", "NOT_SET"} & env.keys()
    finished = runner.run(["env"], cwd=tmp_path, env=env, log=tmp_path / "log")
    assert "AWS_SECRET" not in finished.log.read_text()


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["no-such-program"], Code.COMPONENT_MISSING),
        (["/no/such/program"], Code.COMPONENT_MISSING),
        (["./not-executable"], Code.PERMISSION),
        (["./not-a-program"], Code.COMPONENT_MISSING),
        (["./gone-interpreter"], Code.COMPONENT_MISSING),
    ],
)
def test_a_program_that_cannot_be_started_says_why(tmp_path: Path, argv: list[str], code: Code) -> None:
    for name, text, mode in (
        ("not-executable", "#!/bin/sh\n", 0o600),
        ("not-a-program", "\x7fnonsense", 0o700),
        ("gone-interpreter", "#!/no/such/interpreter\n", 0o700),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    with pytest.raises(Failure) as caught:
        run(tmp_path, *argv)
    assert caught.value.code is code
    assert argv[0] in caught.value.message
    assert caught.value.__context__ is None


def test_a_missing_working_directory_or_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="nowhere") as caught:
        runner.run(["true"], cwd=tmp_path / "nowhere", env=ENV, log=tmp_path / "log")
    assert caught.value.code is Code.MISSING
    with pytest.raises(Failure, match="no-input"):
        run(tmp_path, "cat", stdin=tmp_path / "no-input")


def test_the_time_limit_ends_the_whole_group(tmp_path: Path) -> None:
    finished = shell(tmp_path, "sleep 60 & echo $!; sleep 60", timeout_seconds=0.2)
    assert finished.timed_out
    assert finished.duration_seconds < 5
    assert gone(int(finished.log.read_text()))
    assert runner.code(finished) is Code.TIMED_OUT


def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.3)
    script = "trap '' TERM; sleep 60 & echo $!; while :; do sleep 0.05; done"
    finished = shell(tmp_path, script, timeout_seconds=0.3)
    assert finished.timed_out
    assert finished.status == -signal.SIGKILL
    assert 0.6 <= finished.duration_seconds < 5
    assert gone(int(finished.log.read_text()))


def test_a_program_may_use_its_grace_to_end_well(tmp_path: Path) -> None:
    finished = shell(tmp_path, "trap 'echo saved; exit 0' TERM; sleep 60 & wait", timeout_seconds=0.3)
    assert finished.timed_out
    assert finished.log.read_text() == "saved\n"


def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path) -> None:
    finished = shell(tmp_path, "(trap '' TERM; sleep 60) & echo $!")
    assert finished.status == 0
    assert finished.duration_seconds < 2
    assert gone(int(finished.log.read_text()))


def test_lines_are_handed_on_while_the_program_runs(tmp_path: Path) -> None:
    lines: list[tuple[float, bytes]] = []
    began = time.monotonic()
    script = "echo one; sleep 0.6; echo two; head -c 200000 /dev/zero; echo; echo three; printf torn"
    shell(tmp_path, script, on_line=lambda line: lines.append((time.monotonic() - began, line)))
    texts = [line for _, line in lines if not line.startswith(b"\0")]
    assert texts == [b"one", b"two", b"three"]
    assert lines[0][0] < 0.5
    assert max(len(line) for _, line in lines) < 64 * 1024


def test_a_descriptor_can_be_inherited_so_that_a_lock_outlives_us(tmp_path: Path) -> None:
    held = private.lock(tmp_path / "lock")
    finished = shell(tmp_path, f"test -e /proc/self/fd/{held} && echo kept", inherit=[held])
    assert finished.log.read_text() == "kept\n"
    assert shell(tmp_path, f"test -e /proc/self/fd/{held}").status == 1
    private.unlock(held)


PARENT = """
import sys
from pathlib import Path
from lorchestra.base import program
from lorchestra.process import runner
runner.GRACE_SECONDS = 30
tmp = Path(sys.argv[1])
def body():
    script = "trap '%s' TERM; sleep 60 & echo $! > {0}/pid; while :; do sleep 0.05; done".format(tmp)
    runner.run(["sh", "-c", script], cwd=tmp, env={"PATH": "/usr/bin:/bin"}, log=tmp / "log")
    return 0
sys.exit(program.run("parent", body))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_our_own_end_is_the_end_of_every_child(tmp_path: Path, number: signal.Signals) -> None:
    parent, child = start_parent(tmp_path, "exit 1")
    parent.send_signal(number)
    assert parent.wait(10) == 130
    assert gone(child)


def test_an_interrupt_while_a_program_starts_does_not_lose_sight_of_it(tmp_path: Path) -> None:
    """The program itself sends the interrupt, as its first act."""
    script = f"kill -INT {os.getpid()}; echo $$ > pid; sleep 60"
    for _ in range(10):
        with pytest.raises(KeyboardInterrupt):
            shell(tmp_path, script, on_start=lambda _group: time.sleep(0.05))
        assert gone(int((tmp_path / "pid").read_text()))


def test_a_second_interrupt_does_not_wait_for_the_grace(tmp_path: Path) -> None:
    parent, child = start_parent(tmp_path, "")
    parent.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert parent.poll() is None, "the first interrupt gives the child its grace"
    parent.send_signal(signal.SIGINT)
    assert parent.wait(10) == 130
    assert gone(child)


def start_parent(tmp_path: Path, trap: str) -> tuple[subprocess.Popen[bytes], int]:
    script = PARENT.replace("%s", trap)
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return parent, int((tmp_path / "pid").read_text())


@pytest.mark.parametrize(
    ("status", "timed_out", "code"),
    [
        (0, False, None),
        (0, True, Code.TIMED_OUT),
        (1, False, Code.SOURCE_FAILED),
        (2, False, Code.USAGE),
        (3, False, Code.NOT_JSONL),
        (4, False, Code.TRANSFORM_INVALID),
        (5, False, Code.PERMISSION),
        (6, False, Code.NO_SPACE),
        (7, False, Code.TOO_MANY_REJECTS),
        (8, False, Code.BUSY),
        (75, False, Code.TRY_LATER),
        (126, False, Code.PERMISSION),
        (127, False, Code.COMPONENT_MISSING),
        (130, False, Code.INTERRUPTED),
        (-2, False, Code.INTERRUPTED),
        (143, False, Code.COMPONENT_CRASHED),
        (-9, False, Code.COMPONENT_CRASHED),
        (-25, False, Code.NO_SPACE),
        (255, False, Code.SOURCE_FAILED),
    ],
)
def test_an_exit_status_has_one_meaning(status: int, timed_out: bool, code: Code | None) -> None:
    finished = runner.Finished(status, 0.1, timed_out, Path("log"), 0)
    assert runner.code(finished, Code.SOURCE_FAILED) is code
