"""The log of a run: one JSON object a line, with the fields of the architecture, in an order that tells the story."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness import Project


def events(project: Project) -> list[dict[str, Any]]:
    """The log's lines, in order."""
    (log,) = project.logs.glob("pipeline-*.log")
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_the_log_tells_the_run_in_order(built: Project) -> None:
    told = events(built)
    assert {frozenset(line) for line in told} == {
        frozenset({"timestamp", "level", "run_id", "seq", "stage", "event", "metadata"})
    }
    assert len({line["run_id"] for line in told}) == 1
    names = [(line["stage"], line["event"]) for line in told]
    assert names[0] == (None, "run_started")
    assert names[-1] == (None, "run_finished")
    for stage in ("extract", "canonize", "index"):
        began, ended = names.index((stage, "stage_started")), names.index((stage, "stage_finished"))
        assert began < ended
        assert (stage, "task_finished") in names[began:ended]
    assert names.index(("canonize", "stage_started")) > max(
        at for at, name in enumerate(names) if name == ("extract", "task_finished")
    )


def test_a_failure_is_logged_by_its_code(project: Project) -> None:
    project.edit("    sources:\n", '    sources:\n      broken-source-x: {type: command, command: ["false"]}\n')
    project.run("doit", "extract", status=None)
    (failed,) = [
        line for line in events(project) if line["metadata"].get("status") == "failed" and "task" in line["metadata"]
    ]
    assert failed["level"] == "ERROR"
    assert (failed["metadata"]["task"], failed["metadata"]["code"]) == ("extract:broken-source-x", "source_failed")


def test_an_ignored_task_is_reported_in_every_run(built: Project) -> None:
    built.run("doit", "ignore", "canonize:email-20251110")
    (built.canonical / "email-20251110.jsonl").unlink()
    assert "canonize:email-20251110" in built.run("doit", "canonize").stdout
    assert not (built.canonical / "email-20251110.jsonl").exists()
    assert "task_ignored" in {line["event"] for line in events(built)}
    built.run("doit", "forget", "canonize:email-20251110")
    built.run("doit", "canonize")
    assert (built.canonical / "email-20251110.jsonl").exists()


@pytest.mark.parametrize(("program", "status"), [(("doit",), 3), (("lorchestra", "run"), 2)])
def test_a_run_that_is_interrupted_between_stages_is_no_success(
    project: Project, program: tuple[str, ...], status: int
) -> None:
    """The raw files come first; only then are they found to match two mappings of one type."""
    project.edit('"*exchange*.jsonl"', '"*-*.jsonl"')
    err = project.run(*program, status=status).stderr
    assert "matches two mappings of the type email" in err
    assert project.state()["status"] == "PARTIAL"
    assert project.state()["stages"]["extract"]["status"] == "SUCCESS"
    (finished,) = [line for line in events(project) if line["event"] == "run_finished"]
    assert (finished["level"], finished["metadata"]["status"]) == ("ERROR", "PARTIAL")
