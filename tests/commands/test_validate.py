"""`lorchestra validate`, through the real program."""

from __future__ import annotations

import os

import pytest

from lorchestra.base.errors import Code
from lorchestra.commands import validate
from tests.harness import Project


def test_validate_accepts_a_correct_pipeline(project: Project) -> None:
    told = project.run("lorchestra", "validate").stdout
    assert told.count("ok ") == 10
    assert not (project.root / "phi-data").exists()


def test_validate_reports_everything_that_is_wrong(built: Project) -> None:
    built.store.chmod(0o755)
    built.edit("    registry: transforms\n", "    registry: transforms\n    command: no-such-can\n")
    spec = built.root / "transforms/email/gmail_to_canonical_v1.jsonata"
    spec.write_text("$$")
    told = built.run("lorchestra", "validate", status=5).stdout
    assert f"chmod 700 {built.store}" in told
    assert "no-such-can" in told
    built.store.chmod(0o700)
    built.edit("    command: no-such-can\n", "")
    assert "checksum" in built.run("lorchestra", "validate", status=4).stdout


@pytest.mark.parametrize("pattern", ["[gmail.jsonl", "*gmail*.json", "*Gmail*.jsonl", "gmail.jsonl", "*.jsonl?"])
def test_validate_finds_a_pattern_that_matches_no_raw_file(project: Project, pattern: str) -> None:
    project.edit('"*gmail*.jsonl"', f'"{pattern}"')
    assert f'source_pattern "{pattern}" can match no raw file' in project.run("lorchestra", "validate", status=2).stdout


def test_validate_finds_a_directory_that_cannot_be_written(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, whom nothing stops
    checks = {check.name: check.failure for check in validate.validate(project.root / "pipeline.yaml").checks}
    failure = checks["write access"]
    assert failure and failure.code is Code.PERMISSION
    assert failure.message == f"{project.root}: cannot create or change files there"
