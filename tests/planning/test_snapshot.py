"""What is remembered about the programs."""

from __future__ import annotations

from pathlib import Path

from lorchestra.planning import config
from lorchestra.planning.snapshot import Snapshot
from lorchestra.planning.task_store import TaskStore
from tests.harness import Project


def test_an_empty_answer_of_the_canonizer_is_not_remembered(project: Project, tmp_path: Path) -> None:
    program = project.root / "canonizer"
    program.write_text(f"#!/bin/sh\n[ -e {tmp_path}/ready ] && echo can 7 || exit 1\n")
    program.chmod(0o755)
    project.edit("registry: transforms", "registry: transforms\n    command: ./canonizer")
    loaded, store = config.load(project.root / "pipeline.yaml"), TaskStore(str(tmp_path / "tasks.json"))
    assert Snapshot(loaded, store)._canonizer()[0] == ""
    (tmp_path / "ready").touch()
    assert Snapshot(loaded, store)._canonizer()[0] == "can 7"
    (tmp_path / "ready").unlink()
    assert Snapshot(loaded, store)._canonizer()[0] == "can 7"
