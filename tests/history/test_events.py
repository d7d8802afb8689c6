"""The events of real runs: one JSON object per line, as events.schema.json describes them."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lorchestra.history.log import SCHEMA, Log
from lorchestra.scheduler import pulse
from tests.harness import Project

VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_bytes()))


def events(text: str) -> list[dict[str, Any]]:
    """The events in a text, each valid and numbered without a gap within its run."""
    found = [json.loads(line) for line in text.splitlines()]
    numbers: dict[str, int] = {}
    for event in found:
        VALIDATOR.validate(event)
        assert event["seq"] == numbers.get(event["run_id"], 0) + 1
        numbers[event["run_id"]] = event["seq"]
    return found


def log(project: Project) -> str:
    """The text of the log."""
    return "".join(path.read_text() for path in sorted(project.logs.glob("pipeline-*.log")))


def of(found: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The metadata of the events of one kind."""
    return [event["metadata"] for event in found if event["event"] == name]


def test_json_prints_the_events_of_the_log(project: Project) -> None:
    out = project.run("lorchestra", "run", "--json").stdout
    assert out == log(project)
    found = events(out)
    assert (found[0]["event"], found[-1]["event"]) == ("run_started", "run_finished")
    assert of(found, "run_finished")[0]["status"] == "SUCCESS"
    plans = {event["stage"]: event["metadata"] for event in found if event["event"] == "plan_made"}
    assert {stage: plan["tasks"] for stage, plan in plans.items()} == {"extract": 3, "canonize": 3, "index": 2}
    assert plans["canonize"]["bytes"] == sum(path.stat().st_size for path in project.raw.iterdir())
    finished = of(found, "task_finished")
    assert len(finished) == len(of(found, "task_started")) == 8
    assert {task["status"] for task in finished} == {"ok"}


def test_the_plan_expects_what_earlier_runs_counted(built: Project) -> None:
    (built.canonical / "email-20251110.jsonl").unlink()
    found = events(built.run("lorchestra", "run", "--json").stdout)
    plans = {event["stage"]: event["metadata"] for event in found if event["event"] == "plan_made"}
    assert plans["extract"]["records"] == 14
    assert (plans["canonize"]["tasks"], plans["canonize"]["up_to_date"]) == (1, 2)
    assert 4 <= plans["canonize"]["records"] <= 8


def test_a_run_with_nothing_to_do_has_events_too(built: Project) -> None:
    built.run("lorchestra", "run", "--stage", "index")
    found = events(built.run("lorchestra", "run", "--stage", "index", "--json").stdout)
    assert [event["event"] for event in found] == ["run_started", "stage_finished", "run_finished"]


def test_failures_ignored_tasks_and_unmatched_files(project: Project) -> None:
    policy = "retry: {enabled: true, max_attempts: 2, backoff_seconds: 0}"
    broken = 'broken-source-x: {type: command, command: ["false"]}'
    project.edit("    sources:\n", f"    {policy}\n    sources:\n      {broken}\n")
    project.run("doit", "ignore", "extract:contacts-dataverse")
    for name in ("gmail-broken-20251110.jsonl", "unknown-thing-20251110.jsonl"):
        (project.raw / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        (project.raw / name).write_text("no JSON\n")
        (project.raw / name).chmod(0o600)
    (project.root / "phi-data").chmod(0o700)
    found = events(project.run("lorchestra", "run", "--json", status=None).stdout)
    failed = {task["task"]: task["code"] for task in of(found, "task_finished") if task["status"] == "failed"}
    assert failed == {"extract:broken-source-x": "source_failed", "canonize:email-20251110": "not_jsonl"}
    assert of(found, "task_ignored") == [{"task": "extract:contacts-dataverse"}]
    assert of(found, "raw_file_unmatched") == [{"file": "unknown-thing-20251110.jsonl"}]
    assert len(of(found, "attempt_failed")) == 2
    assert of(found, "run_finished")[0]["status"] == "PARTIAL"


def test_progress_of_a_source_and_an_interrupted_run(project: Project) -> None:
    script = "f=$LORCHESTRA_OUTPUT/slow-gmail-20251112.jsonl; echo {} > $f; sleep 2; echo {} >> $f; sleep 60"
    project.edit(
        "    sources:\n", f'    sources:\n      slow-gmail: {{type: command, command: ["sh", "-c", "{script}"]}}\n'
    )
    with project.start("lorchestra", "run", "--json") as child:
        assert child.stdout
        seen = []
        for line in child.stdout:
            seen.append(line)
            assert len(seen) < 40, "no progress"
            if '"task_progress"' in line:
                os.kill(child.pid, signal.SIGINT)
        child.wait(60)
    found = events("".join(seen))
    assert of(found, "task_progress")[0]["task"] == "extract:slow-gmail"
    assert {"extract:slow-gmail": "interrupted"}.items() <= {
        task["task"]: task["status"] for task in of(found, "task_finished")
    }.items()
    assert of(found, "run_finished")[0]["status"] == "INTERRUPTED"


def test_no_event_has_a_field_that_the_schema_does_not_list(tmp_path: Path) -> None:
    written = Log(tmp_path, "run-1")
    for name, fields in (("run_started", {"secret": "x"}), ("no_such_event", {}), ("heartbeat", {"task": "x"})):
        with pytest.raises(ValueError, match=r"events\.schema\.json"):
            written.event(name, **fields)
    assert not list(tmp_path.iterdir())


def test_listeners_get_every_level(tmp_path: Path) -> None:
    written = Log(tmp_path, "run-1", "ERROR")
    seen: list[dict[str, Any]] = []
    written.listeners.append(seen.append)
    written.event("heartbeat", running=1)
    written.event("run_finished", level="ERROR", status="FAILED", duration_seconds=1)
    assert [event["seq"] for event in seen] == [1, 2]
    assert [json.loads(line)["seq"] for line in next(tmp_path.iterdir()).read_text().splitlines()] == [2]


def test_heartbeats_stop_before_the_last_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "_HEARTBEAT_SECONDS", 0.01)
    written = Log(tmp_path, "run-1")
    beats = threading.Event()
    written.listeners.append(lambda event: beats.set() if event["seq"] == 3 else None)
    beating = pulse.Pulse(written, lambda: 7)
    beating.start()
    assert beats.wait(30)
    beating.stop()
    last = written.last
    time.sleep(0.1)
    assert written.last == last
    assert of(events(next(tmp_path.iterdir()).read_text()), "heartbeat")[0] == {"running": 7}


def test_progress_is_limited_to_one_event_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("lorchestra.scheduler.pulse.time.monotonic", lambda: now)
    written = Log(tmp_path, "run-1")
    progress = pulse.Pulse(written, lambda: 1).progress("canonize:email-20251110")
    for hundredths in range(1000):
        now = hundredths / 100
        progress(hundredths, 0)
    found = events(next(tmp_path.iterdir()).read_text())
    assert [event["metadata"]["records"] for event in found] == [100 * second for second in range(1, 10)]
    assert found[0]["stage"] == "canonize"
