"""state.json has the specification's keys and ours; runs.jsonl keeps a line for every run."""

from __future__ import annotations

import json
import os
import re
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from lorchestra.history import runs, stages
from lorchestra.history.runs import RunRecord, StageRecord

BEGAN = datetime(2025, 11, 12, 10, 30, 45, 123456, tzinfo=UTC)
SPECIFIED = {
    "extract": ["status", "duration_seconds", "records_extracted", "output_files"],
    "canonize": ["status", "duration_seconds", "records_transformed", "output_files"],
    "index": ["status", "duration_seconds", "records_indexed"],
}
OURS = ["built", "up_to_date", "counts", "failures"]


def run(run_id: str = "run-1", began: datetime = BEGAN) -> RunRecord:
    return RunRecord(run_id, began, Path("/phi-data/vector-store"))


def whole() -> RunRecord:
    """A run of all three stages."""
    record = run()
    for number, name in enumerate(stages.STAGES, 1):
        stage = record.stage(name)
        stage.began, stage.ended, stage.records, stage.built = 10.0, 10.0 + number, 27 * number, number
        stage.add({"rejected": 1, "records_in": 28})
        stage.add({"rejected": 2})
        if name != "index":
            stage.output_files += [f"/phi-data/{name}/b.jsonl", f"/phi-data/{name}/a.jsonl"]
    return record


def test_the_state_has_the_specifications_keys_then_ours(tmp_path: Path) -> None:
    runs.write(tmp_path, whole())
    state = json.loads((tmp_path / "state.json").read_bytes())
    assert list(state) == [
        "last_run", "status", "stages", "run_id", "duration_seconds", "unmatched_files", "unnamed_files",
    ]  # fmt: skip
    assert (state["last_run"], state["status"]) == ("2025-11-12T10:30:45Z", "SUCCESS")
    assert {name: list(stage) for name, stage in state["stages"].items()} == {
        name: keys + OURS for name, keys in SPECIFIED.items()
    }
    assert state["stages"]["canonize"] == {
        "status": "SUCCESS", "duration_seconds": 2.0, "records_transformed": 54,
        "output_files": ["/phi-data/canonize/a.jsonl", "/phi-data/canonize/b.jsonl"],
        "built": 2, "up_to_date": 0, "counts": {"records_in": 28, "rejected": 3}, "failures": {},
    }  # fmt: skip
    assert runs.read(tmp_path) == state


def test_the_files_are_private(tmp_path: Path) -> None:
    old = os.umask(0)
    runs.write(tmp_path / "logs", whole())
    os.umask(old)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "logs", *(tmp_path / "logs").iterdir()]
    }
    assert modes == {"logs": 0o700, "state.json": 0o600, "runs.jsonl": 0o600}


def test_moments_are_written_in_utc(tmp_path: Path) -> None:
    runs.write(tmp_path, run(began=BEGAN.astimezone(timezone(timedelta(hours=-7)))))
    assert runs.read(tmp_path)["last_run"] == "2025-11-12T10:30:45Z"
    (line,) = runs.runs(tmp_path)
    assert line["began"] == "2025-11-12T10:30:45.123Z"


def test_a_stage_that_did_not_run_keeps_what_its_last_run_said(tmp_path: Path) -> None:
    runs.write(tmp_path, whole())
    earlier = runs.read(tmp_path)
    second = run("run-2")
    second.stage("canonize").records = 99
    runs.write(tmp_path, second)
    state = runs.read(tmp_path)
    assert list(state["stages"]) == ["extract", "canonize", "index"]
    assert state["stages"]["canonize"]["records_transformed"] == 99
    for name in ("extract", "index"):
        assert state["stages"][name] == earlier["stages"][name]
    assert (state["run_id"], [line["run_id"] for line in runs.runs(tmp_path)]) == ("run-2", ["run-1", "run-2"])


def test_a_stage_that_looked_at_no_file_keeps_its_outputs(tmp_path: Path) -> None:
    runs.write(tmp_path, whole())
    second = run("run-2")
    second.stage("canonize").unchanged = True
    second.stage("index").unchanged = True
    runs.write(tmp_path, second)
    stages = runs.read(tmp_path)["stages"]
    assert (stages["canonize"]["records_transformed"], stages["index"]["records_indexed"]) == (54, 81)
    assert len(stages["canonize"]["output_files"]) == 2
    assert stages["canonize"]["built"] == 0


def test_unchanged_without_an_earlier_run_says_what_it_knows(tmp_path: Path) -> None:
    record = run()
    record.stage("index").unchanged = True
    runs.write(tmp_path, record)
    assert runs.read(tmp_path)["stages"]["index"]["records_indexed"] == 0


def test_a_line_of_history_is_slim_and_whole(tmp_path: Path) -> None:
    runs.write(tmp_path, whole())
    (line,) = runs.runs(tmp_path)
    assert list(line) == ["run_id", "began", "ended", "status", "stages", "sources"]
    assert "output_files" not in line["stages"]["extract"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ended"])


def test_an_incomplete_line_does_not_damage_others(tmp_path: Path) -> None:
    runs.write(tmp_path, run("run-1"))
    with (tmp_path / "runs.jsonl").open("ab") as file:
        file.write(b'{"run_id": "torn", "beg')
    runs.write(tmp_path, run("run-2"))
    with (tmp_path / "runs.jsonl").open("ab") as file:
        file.write(b"[1]\n\xff\n\n" + b"[" * 100_000 + b"\n")
    runs.write(tmp_path, run("run-3"))
    assert [line["run_id"] for line in runs.runs(tmp_path)] == ["run-1", "run-2", "run-3"]


def test_no_history_is_no_error(tmp_path: Path) -> None:
    assert (runs.read(tmp_path), list(runs.runs(tmp_path))) == ({}, [])


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "5", "{}", '{"stages": []}', '{"stages": {"index": 3}}', '{"stages": null}', "[" * 100_000, "\0",
        '{"last_run": "x", "status": "SUCCESS", "stages": {}}',
        '{"last_run": 5, "status": "SUCCESS", "duration_seconds": 1, "stages": {}}',
        '{"last_run": "x", "status": "SUCCESS", "duration_seconds": 1, "stages": {"index": {"failures": [1]}}}',
    ],
)  # fmt: skip
def test_a_damaged_state_does_not_stop_the_next_run(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    assert runs.read(tmp_path) == {}
    record = whole()
    record.stage("index").unchanged = True
    runs.write(tmp_path, record)
    assert runs.read(tmp_path)["run_id"] == "run-1"


@pytest.mark.parametrize(
    ("built", "up_to_date", "failures", "status"),
    [(0, 0, 0, "SUCCESS"), (3, 1, 0, "SUCCESS"), (0, 0, 1, "FAILED"), (1, 0, 1, "PARTIAL"), (0, 1, 1, "PARTIAL")],
)
def test_a_stages_status(built: int, up_to_date: int, failures: int, status: str) -> None:
    stage = StageRecord("canonize", built=built, up_to_date=up_to_date)
    stage.failures = {f"email-{n}": "not_jsonl" for n in range(failures)}
    assert stage.status == status


@pytest.mark.parametrize(
    ("letters", "interrupted", "status"),
    [
        ("", False, "SUCCESS"), ("S", False, "SUCCESS"), ("SF", False, "PARTIAL"), ("FF", False, "FAILED"),
        ("SP", False, "PARTIAL"), ("PF", False, "PARTIAL"), ("S", True, "INTERRUPTED"), ("F", True, "INTERRUPTED"),
    ],
)  # fmt: skip
def test_a_runs_status(letters: str, interrupted: bool, status: str) -> None:
    record = run()
    record.interrupted = interrupted
    for name, letter in zip(stages.STAGES, letters, strict=False):
        stage = record.stage(name)
        stage.built = int(letter in "SP")
        stage.failures = {} if letter == "S" else {"x": "busy"}
    assert record.status == status


def test_a_stage_lasts_from_its_first_task_to_its_last() -> None:
    stage = StageRecord("extract")
    assert stage.duration_seconds == 0
    stage.began, stage.ended = 5.0, 6.23456
    assert stage.duration_seconds == 1.235
    assert run().stage("extract").duration_seconds == 0
