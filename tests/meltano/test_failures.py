"""Failure modes with the real Meltano and three loaders: no record lost, none duplicated, no success that is false.

Each mode goes wrong in a first run; a second run is undisturbed. `make test-meltano` prints the table at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lorchestra.process import runner
from lorchestra.process.source_lock import hold_source
from lorchestra.stages.extract.result import SourceResult
from tests.harness import PIPELINE
from tests.harness import Project as Pipeline
from tests.meltano.project import ACCOUNTS, Project
from tests.stages.harness import RAW, Harness

LOADERS = ("target-lorchestra", "target-jsonl", "target-jsonl--pypi")


class Found(NamedTuple):
    """What a failure mode did with one loader."""

    mode: str
    loader: str
    first: str
    lost: int
    duplicated: int
    false_successes: int


def tap(word: str) -> Callable[[Project], SourceResult | None]:
    def fail(project: Project) -> SourceResult:
        project.plan(word)
        return project.run(timeout_seconds=8)

    return fail


def loader(word: str) -> Callable[[Project], SourceResult | None]:
    def fail(project: Project) -> SourceResult:
        project.plan(loader=word)
        return project.run()

    return fail


def served(change: dict[str, Any]) -> Callable[[Project], SourceResult | None]:
    """The server's fourth record is wrong until it is corrected."""

    def fail(project: Project) -> SourceResult:
        sound = project.records
        project.serve([record | change if record["n"] == 4 else record for record in sound])
        result = project.run()
        if result.code:  # a loader that keeps such a record has it, and its bookmark moved on
            project.serve(sound)
        return result

    return fail


def killed(project: Project) -> None:
    run = project.start("stuck")
    run.kill()
    run.wait()


def terminated(project: Project) -> None:
    run = project.start("slow")
    run.send_signal(signal.SIGTERM)
    run.wait()


def busy(project: Project) -> SourceResult:
    run = project.start("slow")
    result = project.run()
    run.wait()
    return result


def crashed(project: Project) -> None:
    """The machine went down: the bookmark was on the disk already, what the loader wrote was not."""
    killed(project)
    with hold_source(project.harness.work / "locks" / f"{ACCOUNTS[0]}.lock"):
        for lost in project.harness.staged():
            shutil.rmtree(lost)
        (project.harness.work / "sources" / ACCOUNTS[0] / "running").write_text("another boot")


def damaged(project: Project) -> SourceResult:
    """The raw file cannot be read until somebody repairs it."""
    raw = project.harness.raw / RAW
    raw.write_text("damaged\n")
    result = project.run()
    raw.unlink()
    return result


MODES: dict[str, Callable[[Project], SourceResult | None]] = {
    "the credentials are refused": tap("auth"),
    "discovery fails": tap("undiscovered"),
    "the tap dies before its bookmark": tap("early"),
    "the tap dies after its bookmark": tap("late"),
    "the tap is killed": tap("killed"),
    "the tap dies within a message": tap("torn"),
    "the tap ends with status 77": tap("status"),
    "the tap hangs and ignores SIGTERM": tap("stuck"),
    "the tap sends a line that is not JSON": tap("garbage"),
    "the tap sends a null record": tap("null"),
    "the tap sends a BATCH message": tap("batch"),
    "the tap sends an unknown message": tap("unknown"),
    "the tap sends every record twice": tap("repeat"),
    "the tap sends no bookmark": tap("stateless"),
    "the tap sends an undeclared second stream": tap("streams"),
    "a record does not match its schema": served({"id": ["PHI-Canary"]}),
    "a record is longer than Meltano's buffer": served({"subject": "x" * 600_000}),
    "Meltano is killed": tap("kill"),
    "the loader does not start": loader("refuse"),
    "the loader is killed": loader("die"),
    "the loader loses a record": loader("lose"),
    "the loader saves a bookmark too early": loader("false_state"),
    "the loader stops early and succeeds": loader("stop"),
    "the loader prints no bookmark": loader("mute"),
    "lorchestra is killed": killed,
    "lorchestra is terminated": terminated,
    "a second run starts": busy,
    "the machine goes down": crashed,
    "the raw file is damaged": damaged,
}
found: list[Found] = []
POINTS = int(os.environ.get("LORCHESTRA_KILL_POINTS", "2"))


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("mode", MODES)
def test_no_record_is_lost_or_duplicated_and_no_success_is_false(
    mode: str, name: str, harness: Harness, meltano_venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 1)
    project = Project.create(harness, meltano_venv, name)
    result = MODES[mode](project)
    first = result.status if result else "killed"
    false_success = int(bool(result and result.code is None and rows(project) != wanted(project)))
    project.plan()
    after = project.run(streams={"messages": ACCOUNTS[0], "message_list": None})
    false_success += after.code is None and rows(project) != wanted(project)
    have = rows(project)
    lost, duplicated = (wanted(project) - have).total(), (have - wanted(project)).total()
    found.append(Found(mode, name, first, lost, duplicated, false_success))
    assert found[-1][3:] == (0, 0, 0), (found[-1], after, project.log(after))
    assert after.code is None, (after, project.log(after))
    project.check_privacy()


def test_the_table_of_failure_modes(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{len(found)} combinations of failure mode and loader")
        for entry in found:
            print(f"{entry.mode:<44}{entry.loader:<20}first run {entry.first:<8}", end="")
            print(f"lost {entry.lost} duplicated {entry.duplicated} false successes {entry.false_successes}")
    assert all(entry[3:] == (0, 0, 0) for entry in found)


@pytest.mark.parametrize("victim", ["tap", "loader", "meltano", "lorchestra"])
@pytest.mark.parametrize("point", range(1, POINTS + 1))
def test_a_program_that_is_killed_at_any_record_loses_and_duplicates_nothing(
    victim: str, point: int, harness: Harness, meltano_venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 1)
    project = Project.create(harness, meltano_venv, "target-lorchestra")
    project.receive(range(7, 21))
    run = project.begin(f"shoot:{victim}:{1 + point * 19 // POINTS}")
    assert run.wait(120) != 0
    assert rows(project) != wanted(project), "it was killed before the end"
    project.settle()


SLEEPER = """\
import os, sys, time
time.sleep(float(sys.argv[1]))
name = f"{os.environ['LORCHESTRA_SOURCE']}-20251112.jsonl"
open(os.path.join(os.environ["LORCHESTRA_OUTPUT"], name), "w").write("{}")
sys.exit(int(sys.argv[2]))
"""


def test_sources_that_fail_do_not_hold_up_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four healthy sources are done before two failing ones make their second attempt; the delay is printed."""
    alone = finished(tmp_path / "alone", failing=0)
    together = finished(tmp_path / "together", failing=2)
    healthy = [name for name in together if name.startswith("good")]
    assert len(healthy) == 4
    later = max(together[name] for name in healthy) - max(alone.values())
    with capsys.disabled():
        print(f"\nfour healthy sources next to two failing ones: finished {later:+.2f} s compared with alone")
    assert max(together[name] for name in healthy) < min(together[name] for name in together.keys() - set(healthy))


def finished(root: Path, failing: int) -> dict[str, float]:
    """When each source was finished, in seconds since the start of the run."""
    project = Pipeline(root)
    (root / "sleeper.py").write_text(SLEEPER)
    names = [f"good-{number}" for number in range(4)] + [f"bad-{number}" for number in range(failing)]
    words = {name: [sys.executable, str(root / "sleeper.py"), "1", str(int(name.startswith("bad")))] for name in names}
    sources = "".join(f"      {name}: {{type: command, command: {words[name]}}}\n" for name in names)
    head, _, rest = PIPELINE.partition("    sources:\n")
    retry = "    retry: {enabled: true, max_attempts: 2, backoff_seconds: 5}\n"
    project.configure(f"{head}    sources:\n{sources}{retry}  canonize:{rest.partition('  canonize:')[2]}")
    began = datetime.now(UTC)
    project.run("lorchestra", "run", "--stage", "extract", status=None)
    events = [json.loads(line) for log in project.logs.glob("pipeline-*.log") for line in log.read_text().splitlines()]
    return {
        event["metadata"]["source"]: (datetime.fromisoformat(event["timestamp"]) - began).total_seconds()
        for event in events
        if event["event"] == "source_finished"
    }


def rows(project: Project) -> Counter[str]:
    path = project.harness.raw / RAW
    lines = path.read_bytes().splitlines() if path.exists() else []
    return Counter(json.dumps(json.loads(line), sort_keys=True) for line in lines if line.startswith(b"{"))


def wanted(project: Project) -> Counter[str]:
    lines = (project.root / "server.jsonl").read_bytes().splitlines()
    return Counter(json.dumps(json.loads(line), sort_keys=True) for line in lines)
