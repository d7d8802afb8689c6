"""`lorchestra doctor`: every problem comes with a fix, and a healthy pipeline has none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lorchestra.commands import doctor
from lorchestra.commands.doctor import Mark
from tests.harness import Project


def problems(project: Project) -> dict[str, tuple[str, str]]:
    found = doctor.examine(project.root / "pipeline.yaml")
    bad = {finding.name: (finding.text, finding.advice) for finding in found if finding.mark is Mark.PROBLEM}
    assert all(advice or "Run: " in text for text, advice in bad.values()), bad
    return bad


def test_a_healthy_pipeline_has_no_problem(built: Project) -> None:
    shown = built.run("lorchestra", "doctor").stdout
    assert "!!" not in shown and shown.endswith("0 problems\n")
    assert "ok  canonizer version: can " in shown and "ok  audit log: 2 entries intact" in shown
    assert "encrypt" in shown and "clock" in shown and "GiB free" in shown


def test_each_problem_has_a_fix(built: Project) -> None:
    built.edit("sources:\n", "sources:\n      mail: {type: meltano, repo_path: nowhere, loader: target-jsonl}\n")
    built.edit("    registry: transforms\n", "    registry: transforms\n    command: [/bin/false]\n")
    (built.root / "phi-data").chmod(0o755)
    state = (built.logs / "state.json").read_text()
    (built.logs / "state.json").write_text(state.replace('"last_run": "2', '"last_run": "3'))
    log = built.logs / "audit.jsonl"
    log.write_bytes(log.read_bytes()[1:])
    found = problems(built)
    assert set(found) == {"PHI directories", "sources", "canonizer version", "clock", "Meltano", "audit log"}
    ended = built.run("lorchestra", "doctor", status=1).stdout
    assert ended.count("!!") == 6 and ended.endswith("6 problems\n")


def test_a_full_disk_and_a_lack_of_inodes_are_warnings(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.statvfs_result((4096, 4096, 10**6, 100, 100, 10**6, 100, 100, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    found = doctor.examine(project.root / "pipeline.yaml")
    (first, *_) = [finding for finding in found if finding.name == "disk"]
    assert (first.mark, first.text) == (Mark.WARNING, "PHI directory has 0.0 GiB free, 100 inodes")


def test_without_a_pipeline_the_rest_is_examined(tmp_path: Path) -> None:
    found = doctor.examine(tmp_path / "pipeline.yaml")
    assert [finding.name for finding in found] == ["versions", "clock", "pipeline.yaml"]


def test_directories_of_the_path_that_others_can_change_are_warnings(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setenv("PATH", f"{tmp_path}/open:.:/usr/bin")
    found = doctor.examine(project.root / "pipeline.yaml")
    warned = [finding.text for finding in found if finding.name == "PATH"]
    assert len(warned) == 2
    assert warned[0].startswith(f"{tmp_path}/open can be changed by others.")
    assert warned[1] == "PATH contains .: the current directory"
