"""The pipeline as a whole: killed anywhere, run as somebody else, searched for what it must not tell."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness import BIN, PIPELINE, Project

CANARY = "CANARYx7Q"


def test_two_runs_of_the_same_input_are_equal_to_the_byte(built: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other")
    other.run("lorchestra", "run")
    assert other.canonical_bytes() == built.canonical_bytes()
    assert other.objects().keys() == built.objects().keys()


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
def test_a_run_after_a_kill_gives_the_same_result(built: Project, tmp_path: Path, fraction: float) -> None:
    other = Project(tmp_path / "other")
    began = time.monotonic()
    Project(tmp_path / "measured").run("doit")
    whole = time.monotonic() - began
    with other.start("doit") as child:
        time.sleep(whole * fraction)
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    time.sleep(0.2)  # workers see that their caller is gone
    other.run("doit")
    assert other.canonical_bytes() == built.canonical_bytes()
    assert other.objects() == built.objects()
    assert not other.ran("doit", "canonize", "index")
    other.run("vector-projector", "verify", "--store", str(other.store))
    leftovers = list(other.root.rglob(".*~"))
    assert leftovers == []


def test_ctrl_c_ends_the_run_in_a_sentence_and_keeps_what_was_done(project: Project) -> None:
    project.edit("days: 2, records: 3, seed: 1", "days: 120, records: 30, seed: 1")
    project.run("doit", "extract")
    with project.start("lorchestra", "run", "--stage", "canonize") as child:
        while not list((project.canonical).glob("lineage/*.json")):
            time.sleep(0.01)
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in out + err
    assert "interrupted" in err
    assert project.state()["status"] == "INTERRUPTED"
    project.run("lorchestra", "run", "--stage", "canonize")
    assert len(list(project.canonical.glob("*.jsonl"))) == 121


def test_not_a_word_of_a_record_leaves_the_phi_directories(tmp_path: Path) -> None:
    planted = (
        PIPELINE.replace("seed: 1", f"seed: 1, malformed: 0.4, canary: {CANARY}")
        .replace("seed: 2", f"seed: 2, malformed: 0.4, canary: {CANARY}")
        .replace("seed: 3", f"seed: 3, canary: {CANARY}")
    )
    project = Project(tmp_path / "project", planted + "logging: {level: DEBUG}\n")
    told = [project.run("doit", status=None), project.run("lorchestra", "run", "--verbose", status=None)]
    with (project.raw / "gmail-messages-a-20251110.jsonl").open("ab") as file:
        file.write(f'{{"id": "{CANARY}", broken\n'.encode())
    told += [
        project.run("doit", "-v", "2", "canonize", status=None),
        project.run("lorchestra", "run", "--stage", "index", status=None),
        project.run("lorchestra", "status", status=None),
        project.run("doit", "list", "--all", "--status"),
        project.run("doit", "info", "canonize:email-20251110", status=None),
    ]
    assert (project.canonical / "rejects").is_dir()
    assert CANARY in (project.raw / "gmail-messages-a-20251110.jsonl").read_text()
    assert not [run.args for run in told if CANARY in run.stdout + run.stderr]
    outside = [path for path in project.root.rglob("*") if path.is_file() and "phi-data" not in path.parts]
    leaks = [path for path in outside if CANARY.encode() in path.read_bytes() and path.name != "pipeline.yaml"]
    assert leaks == []
    assert {path.stat().st_mode & 0o077 for path in (project.root / "phi-data").rglob("*")} == {0}
    assert {path.stat().st_mode & 0o077 for path in project.logs.iterdir()} == {0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_else_reads_nothing(built: Project) -> None:
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls", "-R", str(built.root / "phi-data")]
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0


def test_a_wide_umask_makes_no_wide_file(project: Project) -> None:
    subprocess.run([BIN / "doit"], cwd=project.root, check=True, capture_output=True, umask=0)
    assert {path.stat().st_mode & 0o077 for path in (project.root / "phi-data").rglob("*")} == {0}


def test_a_closed_pipe_is_no_error(built: Project) -> None:
    piped = subprocess.run(
        f"{BIN / 'lorchestra'} status | head -1", shell=True, cwd=built.root, capture_output=True, text=True, check=True
    )
    assert piped.stderr == ""


def test_a_partial_failure_is_reported_and_keeps_the_rest(project: Project) -> None:
    project.edit("    sources:\n", '    sources:\n      broken-source-x: {type: command, command: ["false"]}\n')
    run = project.run("lorchestra", "run", status=1)
    assert "extract:broken-source-x" in run.stdout
    assert len(project.objects()) == 14
    assert project.state()["stages"]["extract"]["status"] == "PARTIAL"
    assert project.state()["status"] == "PARTIAL"


def test_too_few_files_fail_the_stage(project: Project) -> None:
    project.edit("    sources:\n", "    validation: {require_files: 99}\n    sources:\n")
    assert "at least 99 files" in project.run("lorchestra", "run", status=1).stdout
    assert project.state()["stages"]["extract"]["failures"] == {"extract": "too_few_files"}


def test_the_state_has_the_keys_of_the_architecture(project: Project) -> None:
    project.run("doit")
    state = project.state()
    assert {"last_run", "status", "stages"} <= state.keys()
    stages = state["stages"]
    assert {"status", "duration_seconds", "records_extracted", "output_files"} <= stages["extract"].keys()
    assert {"status", "duration_seconds", "records_transformed", "output_files"} <= stages["canonize"].keys()
    assert {"status", "duration_seconds", "records_indexed"} <= stages["index"].keys()
    assert stages["extract"]["records_extracted"] == stages["canonize"]["records_transformed"] == 14
    assert stages["index"]["records_indexed"] == 14
    assert str(project.canonical / "email-20251110.jsonl") in stages["canonize"]["output_files"]
    again = project.run("lorchestra", "run", "--stage", "canonize")
    assert "3" in again.stdout
    assert project.state()["stages"]["canonize"]["records_transformed"] == 14
    assert len((project.logs / "runs.jsonl").read_text().splitlines()) == 2
