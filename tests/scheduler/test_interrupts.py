"""The programs that a run starts end with it, however it ends, and the next run can begin."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lorchestra.process import guard
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


def logged(project: Project) -> int:
    """The number of events in the log."""
    return sum(path.read_bytes().count(b"\n") for path in project.logs.glob("pipeline-*.log"))


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
    deadline = time.monotonic() + 60  # far more than it takes: the machine may be busy
    while running(started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(started) == []
    built.edit(f"      {SLOW}\n", "")
    assert not built.ran("doit", "canonize", "index")


@pytest.mark.parametrize(("program", "number"), [(("doit",), signal.SIGINT), (("lorchestra", "run"), signal.SIGTERM)])
@pytest.mark.parametrize("events", [1, 6, 12, 18, 24])
def test_an_interrupt_at_any_moment_ends_the_run(
    project: Project, program: tuple[str, ...], number: int, events: int
) -> None:
    """The moments are numbers of events of the run, which has about 27."""
    with project.start(*program) as child:
        deadline = time.monotonic() + 60
        while child.poll() is None and logged(project) < events and time.monotonic() < deadline:
            time.sleep(0.002)
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert "Traceback" not in out + err
    assert child.returncode in (130, 0)  # 0: it had ended before
    if child.returncode:
        assert "interrupted" in err
    project.run("doit")
    assert len(project.objects()) == 14
    assert not project.ran("doit", "canonize", "index")


def test_a_second_interrupt_does_not_wait_for_a_program_that_ignores_the_first(built: Project) -> None:
    stubborn = SLOW.replace("sleep 300 & sleep 300", "trap '' TERM; sleep 300")
    built.edit("    sources:\n", f"    sources:\n      {stubborn}\n")
    with built.start("doit") as child:
        await_slow_one(built)
        began = time.monotonic()
        os.kill(child.pid, signal.SIGINT)
        time.sleep(0.5)
        os.kill(child.pid, signal.SIGINT)
        child.communicate(timeout=60)
    assert child.returncode == 130
    assert time.monotonic() - began < guard.GRACE_SECONDS
    assert built.state()["stages"]["extract"]["status"] == "INTERRUPTED"


def test_a_source_that_waits_for_its_next_attempt_holds_up_nothing(project: Project) -> None:
    waiting = 'waiting-source: {type: command, command: ["false"]}'
    policy = "retry: {enabled: true, max_attempts: 2, backoff_seconds: 3600}"
    project.edit("    sources:\n", f"    {policy}\n    sources:\n      {waiting}\n")
    with project.start("doit") as child:
        deadline = time.monotonic() + 60
        while len(project.objects()) < 14 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert child.poll() is None
        assert len(project.objects()) == 14
        os.kill(child.pid, signal.SIGINT)
        child.communicate(timeout=60)
    assert child.returncode == 130


def test_what_a_late_source_delivers_is_processed_in_the_same_run(project: Project, tmp_path: Path) -> None:
    """Its first attempt fails; its second one delivers a record for a file that the first round has built."""
    raw = tmp_path / "raw.jsonl"
    Project(tmp_path / "other").run("doit", "extract")
    raw.write_bytes((tmp_path / "other/phi-data/meltano-extracts/gmail-messages-a-20251110.jsonl").read_bytes())
    tried, target = tmp_path / "tried", "$LORCHESTRA_OUTPUT/late-gmail-20251110.jsonl"
    script = f"test -e {tried} && cp {raw} {target}; touch {tried}; test -s {target}"
    late = f'late-gmail: {{type: command, command: ["sh", "-c", "{script}"]}}'
    policy = "retry: {enabled: true, max_attempts: 2, backoff_seconds: 2}"
    project.edit("    sources:\n", f"    {policy}\n    sources:\n      {late}\n")
    out = project.run("doit").stdout
    assert out.count("canonize:email-20251110 ") == 2
    assert "extract:late-gmail succeeded at attempt 2" in out
    assert (project.raw / "late-gmail-20251110.jsonl").exists()
    lineage = json.loads((project.canonical / "lineage/email-20251110.json").read_bytes())
    assert "late-gmail-20251110.jsonl" in {entry["name"] for entry in lineage["inputs"]}
    assert not project.ran("doit", "canonize", "index")
    assert project.state()["stages"]["canonize"]["up_to_date"] == 3


@pytest.mark.parametrize("problem", ["ignored", "failing"])
def test_a_task_that_is_not_done_does_not_prevent_the_second_round(
    project: Project, tmp_path: Path, problem: str
) -> None:
    other, tried = Project(tmp_path / "other"), tmp_path / "tried"
    other.run("doit", "extract")
    name = "late-gmail-20251112.jsonl"
    copy = f"cp {other.raw / 'gmail-messages-a-20251110.jsonl'} $LORCHESTRA_OUTPUT/{name}"
    script = f"test -e {tried} && {copy}; status=$?; touch {tried}; exit $status"
    late = f'late-gmail: {{type: command, command: ["sh", "-c", "{script}"]}}'
    policy = "retry: {enabled: true, max_attempts: 2, backoff_seconds: 1}"
    project.edit("    sources:\n", f"    {policy}\n    sources:\n      {late}\n")
    shutil.copytree(other.root / "phi-data", project.root / "phi-data")
    if problem == "ignored":
        project.run("doit", "canonize", "index")
        project.run("doit", "ignore", "extract:contacts-dataverse", "canonize:email-20251110", "index:contact")
    else:
        (project.raw / "other-contacts-20251110.jsonl").write_text('{"no": "JSON"\n')
        (project.raw / "other-contacts-20251110.jsonl").chmod(0o600)
    shown = project.run("doit", "extract", "canonize", status=None).stdout
    assert "Unmet" not in shown and "bug" not in shown
    assert "canonize:email-20251112" in shown
    assert (project.canonical / "email-20251112.jsonl").exists()
