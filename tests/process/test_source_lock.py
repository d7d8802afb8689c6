"""One run at a time, and what becomes of the program of a run that was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.process import runner
from lorchestra.process.source_lock import hold_source

OWNER = """
import sys
from pathlib import Path
from lorchestra.process import runner
from lorchestra.process.source_lock import hold_source
tmp, script = Path(sys.argv[1]), sys.argv[2]
with hold_source(tmp / "source.lock") as held:
    runner.run(["sh", "-c", script], cwd=tmp, env={"PATH": "/usr/bin:/bin"}, log=tmp / "log",
               inherit=[held.descriptor], on_start=held.started)
"""


def start_owner(tmp_path: Path, script: str) -> subprocess.Popen[bytes]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path), f"{script} echo $$ > pid; sleep 60 & wait"])
    deadline = time.monotonic() + 10
    while not (tmp_path / "pid").exists() or (tmp_path / "source.lock").read_text().split()[-1] == "0":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return owner


def test_a_claim_is_free_again_when_it_is_left(tmp_path: Path) -> None:
    for _ in range(2):
        with hold_source(tmp_path / "locks" / "source.lock"):
            pass


def test_a_daemon_that_a_program_leaves_does_not_keep_the_claim(tmp_path: Path) -> None:
    with hold_source(tmp_path / "source.lock") as held:
        daemon = subprocess.Popen(["sleep", "60"], pass_fds=[held.descriptor], start_new_session=True)
    with hold_source(tmp_path / "source.lock"):
        daemon.kill()
        daemon.wait()


def test_a_second_claim_is_refused_while_the_first_run_lives(tmp_path: Path) -> None:
    owner = start_owner(tmp_path, "")
    with (
        pytest.raises(Failure, match="another run is extracting source") as caught,
        hold_source(tmp_path / "source.lock"),
    ):
        pass
    assert caught.value.code is Code.BUSY
    assert owner.poll() is None
    owner.send_signal(signal.SIGINT)
    owner.wait(10)


@pytest.mark.parametrize("script", ["", "trap '' TERM;"])
def test_the_program_of_a_killed_run_is_ended(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.3)
    owner = start_owner(tmp_path, script)
    owner.kill()
    owner.wait(10)
    orphan = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    assert orphan.exists()
    with hold_source(tmp_path / "source.lock"):
        assert not orphan.exists() or orphan.read_text().split()[2] == "Z"


def test_a_foreign_process_that_holds_the_lock_is_not_stopped(tmp_path: Path) -> None:
    """The file names process groups of long ago; one of the numbers is somebody else's by now."""
    lock = tmp_path / "source.lock"
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    holder = subprocess.Popen(["flock", lock, "sleep", "60"], start_new_session=True)
    while not lock.exists():
        time.sleep(0.02)
    time.sleep(0.1)
    lock.write_text(f"999999999 {stranger.pid}\n")
    for text in (f"999999999 {stranger.pid}", "", "nonsense", "1 2 3"):
        lock.write_text(text)
        with pytest.raises(Failure), hold_source(lock):
            pass
    assert stranger.poll() is None
    assert holder.poll() is None
    for process in (stranger, holder):
        runner.signal_group(process.pid, signal.SIGKILL)
        process.wait()
