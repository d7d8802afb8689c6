"""status, validate, clean and the command line itself, as a user meets them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from lorchestra.base.errors import Code
from lorchestra.commands import validate
from tests.harness import BIN, Project, lines


def test_status_before_anything_ran(project: Project) -> None:
    told = project.run("lorchestra", "status").stdout
    assert "last run   none" in told
    assert "no successful extraction yet" in told
    assert not (project.root / "phi-data").exists()
    assert not project.logs.exists()


def test_status_tells_what_lies_there_and_what_there_is_to_do(built: Project) -> None:
    (built.canonical / "email-20251110.jsonl").unlink()
    (built.raw / "contacts-dataverse-20251110.jsonl").unlink()
    (built.raw / "unknown-thing-20251110.jsonl").touch(mode=0o600)
    (built.raw / "Somebody@Example.org.txt").touch(mode=0o600)
    told = built.run("lorchestra", "status").stdout
    assert "SUCCESS" in told
    assert "1 of 2 files up to date" in told
    assert "email-20251110: target deleted" in told
    assert "stale      contact-20251110" in told
    assert "unmatched  unknown-thing-20251110.jsonl" in told
    assert "misnamed   1 file in the raw directory" in told
    assert "Somebody" not in told
    state = json.loads(built.run("lorchestra", "status", "--json").stdout)
    assert state["canonical"]["to_make"] == {"email-20251110": ["target deleted"]}
    assert state["unmatched"] == ["unknown-thing-20251110.jsonl"]
    assert state["sources"]["gmail-messages-a"]["records"] == 6


def test_status_has_an_exit_status_for_scripts(built: Project) -> None:
    assert "next       nothing to do" in built.run("lorchestra", "status", status=0).stdout
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    content = raw.read_bytes()
    raw.write_bytes(b"no\n")
    built.run("lorchestra", "run", "--stage", "canonize", status=3)
    assert "next       fix what failed" in built.run("lorchestra", "status", status=1).stdout
    built.run("lorchestra", "status", "--json", status=1)
    raw.write_bytes(content)
    built.run("lorchestra", "run", "--stage", "canonize")
    built.run("lorchestra", "status", status=0)


def test_status_reports_directories_that_others_can_read(built: Project) -> None:
    built.raw.chmod(0o750)
    shown = built.run("lorchestra", "status", status=5).stdout
    assert "chmod 700" in shown
    assert "next       make the PHI directories private" in shown


def test_status_shows_local_time_with_its_zone(built: Project) -> None:
    shown = built.run("lorchestra", "status", env={"TZ": "Asia/Tokyo"}).stdout
    assert re.search(r"last run   \d{4}-\d\d-\d\d \d\d:\d\d:\d\d JST", shown)


def test_unmatched_and_unnamed_files_are_told_in_every_run(built: Project) -> None:
    (built.raw / "unknown-thing-20251110.jsonl").touch(mode=0o600)
    (built.raw / "Somebody@Example.org.txt").touch(mode=0o600)
    for _ in range(2):
        told = built.run("lorchestra", "run", "--stage", "canonize").stdout
        assert "1 raw files match no mapping" in told
        assert "1 files in the raw directory do not follow the naming convention" in told


def test_validate_on_a_sound_pipeline(project: Project) -> None:
    told = project.run("lorchestra", "validate").stdout
    assert told.count("ok ") == 10
    assert not (project.root / "phi-data").exists()


def test_validate_tells_everything_that_is_wrong(built: Project) -> None:
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


def test_clean_removes_what_can_be_made_again_after_a_yes(built: Project) -> None:
    before = built.canonical_bytes()
    assert "no terminal" in built.run("lorchestra", "clean", status=2).stderr
    assert "would be removed" in built.run("lorchestra", "clean", "--dry-run").stdout
    assert built.canonical_bytes() == before
    built.run("lorchestra", "clean", "--stage", "canonize", "--yes")
    assert built.canonical_bytes() == {}
    assert len(list(built.raw.iterdir())) == 5
    built.run("doit", "canonize")
    assert built.canonical_bytes() == before
    built.run("lorchestra", "clean", "--all", "--yes")
    assert list(built.raw.iterdir()) == []
    assert built.objects() == {}
    assert built.run("lorchestra", "clean", "--stage", "canonize").stdout == "nothing to remove\n"


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 0), (b"n\n", 3), (b"\n", 3)])
def test_clean_asks_on_a_terminal(built: Project, answer: bytes, left: int) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [BIN / "lorchestra", "clean", "--stage", "canonize"],
        cwd=built.root,
        stdin=theirs,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        os.write(ours, answer)
        _, err = child.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert "Remove" in err
    assert len(list(built.canonical.glob("*.jsonl"))) == left


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        ([], 2),
        (["rnu"], 2),
        (["run", "--stgae", "index"], 2),
        (["run", "--config", "no-such.yaml"], 2),
        (["run", "--config", "."], 2),
        (["--version"], 0),
        (["--help"], 0),
        (["clean", "--all", "--stale"], 2),
    ],
)
def test_a_wrong_command_line_is_told_in_words(project: Project, argv: list[str], status: int) -> None:
    run = project.run("lorchestra", *argv, status=status)
    assert run.stdout or run.stderr


def test_a_pipeline_can_be_named_from_elsewhere(built: Project, tmp_path: Path) -> None:
    run = subprocess.run(
        [BIN / "lorchestra", "run", "--stage", "index", "--config", built.root / "pipeline.yaml"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "index" in run.stdout
    assert not list(tmp_path.glob("logs"))


def test_a_no_op_tells_its_counts_and_is_recorded(built: Project) -> None:
    told = built.run("lorchestra", "run", "--stage", "canonize").stdout
    assert "." not in told.split()[0]
    assert built.state()["stages"]["canonize"]["up_to_date"] == 3
    assert built.state()["stages"]["canonize"]["records_transformed"] == 14
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_bytes(b"".join(lines(raw)[:1]))
    assert "canonize:email-20251110" in built.run("lorchestra", "run", "--stage", "canonize").stdout


def test_fail_fast_stops_at_the_first_failure(project: Project) -> None:
    project.edit("pipeline: {name: test}", "pipeline: {name: test}\nbehavior: {fail_fast: true, jobs: 1}")
    project.run("doit", "extract")
    (project.raw / "contacts-dataverse-20251110.jsonl").write_text("no\n")
    project.run("lorchestra", "run", "--stage", "canonize", status=3)
    assert not list(project.canonical.glob("email*"))


def test_a_no_op_needs_no_index(project: Project) -> None:
    project.run("doit", "extract", "canonize")
    told = project.run("lorchestra", "run", "--stage", "canonize").stdout
    assert "phi" not in told
    assert "index" in project.run("lorchestra", "run", "--stage", "index").stdout
    assert len(project.objects()) == 14


def test_after_a_failure_nothing_is_taken_for_quiet(built: Project) -> None:
    built.run("lorchestra", "run", "--stage", "index")
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    content = raw.read_bytes()
    raw.write_bytes(b"no\n")
    for _ in range(2):
        built.run("lorchestra", "run", "--stage", "canonize", status=3)
        built.run("lorchestra", "run", "--stage", "index", status=3)
    raw.write_bytes(content)
    built.run("lorchestra", "run", "--stage", "index")


def test_files_that_others_can_read_are_refused_before_a_source_is_asked(built: Project) -> None:
    (built.canonical / "email-20251110.jsonl").chmod(0o644)
    refused = built.run("lorchestra", "run", status=5)
    assert refused.stdout == ""
    assert "chmod" in refused.stderr
    assert built.run("doit", "extract", status=3).stdout == ""


def test_a_meltano_job_is_told_by_its_extractors(project: Project) -> None:
    ingest = project.root / "ingest"
    ingest.mkdir()
    (ingest / "meltano.yml").write_text(
        "version: 1\ndefault_environment: dev\n"
        "jobs:\n- name: all\n  tasks:\n  - tap-mail-messages-a target-jsonl\n  - tap-mail-messages-b target-jsonl\n"
        "plugins:\n  extractors:\n  - name: tap-mail-messages-a\n  - name: tap-mail-messages-b\n"
        "  loaders:\n  - name: target-jsonl\n"
    )
    project.edit(
        "    sources:\n",
        "    sources:\n      mail: {type: meltano, repo_path: ingest, loader: target-jsonl, job: all}\n",
    )
    told = project.run("lorchestra", "status").stdout
    assert "tap-mail-messages-a" in told and "tap-mail-messages-b" in told
    assert "RUN   extract:tap-mail-messages-b" in project.run("lorchestra", "run", "--dry-run").stdout
    project.edit("    sources:\n", "    sources:\n      tap-mail-messages-b: {type: files, inbox: inbox}\n")
    for argv in (["run"], ["validate"], ["run", "--dry-run"]):
        refused = project.run("lorchestra", *argv, status=2)
        assert "two entries of the sources stand for tap-mail-messages-b" in refused.stdout + refused.stderr
    (ingest / "meltano.yml").unlink()
    assert "mail" in project.run("lorchestra", "status").stdout


def test_when_every_source_fails_the_stage_fails_and_nothing_else_is_blamed(project: Project) -> None:
    text = (project.root / "pipeline.yaml").read_text()
    before, _, rest = text.partition("    sources:\n")
    after = rest[rest.index("  canonize:") :]
    project.configure(f'{before}    sources:\n      broken-source-x: {{type: command, command: ["false"]}}\n{after}')
    told = project.run("lorchestra", "run", status=1).stdout
    assert told.count("!!") == 1
    assert project.state()["stages"]["extract"]["status"] == "FAILED"
    assert "fault of the program" not in told


def test_a_source_s_program_is_sought_beside_the_configuration(project: Project) -> None:
    project.edit("    sources:\n", "    sources:\n      gmail-export: {type: command, command: ./export}\n")
    missing = project.run("lorchestra", "validate", status=2).stdout
    assert f"the program {project.root}/export was not found" in missing
    program = project.root / "export"
    program.write_text('#!/bin/sh\necho \'{"id": "a"}\' > $LORCHESTRA_OUTPUT/$LORCHESTRA_SOURCE-20251112.jsonl\n')
    assert f"Run: chmod +x {program}" in project.run("lorchestra", "validate", status=5).stdout
    program.chmod(0o755)
    project.run("lorchestra", "validate")
    project.run("lorchestra", "run", "--stage", "extract")
    assert (project.raw / "gmail-export-20251112.jsonl").read_text() == '{"id": "a"}\n'


def test_a_missing_meltano_project_fails_its_source_alone(project: Project) -> None:
    project.edit(
        "sources:\n", "sources:\n      mail: {type: meltano, repo_path: nowhere, loader: target-jsonl, job: all}\n"
    )
    assert "FAIL  extract:mail" in project.run("lorchestra", "run", "--dry-run").stdout
    project.run("lorchestra", "run", "--stage", "canonize")
    shown = project.run("lorchestra", "run", status=None)
    assert shown.returncode != 0
    assert "nowhere/meltano.yml: no such file or directory" in shown.stdout
    assert "index:email" in shown.stdout
    assert len(project.objects()) == 14
    assert "nowhere/meltano.yml" in project.run("lorchestra", "validate", status=2).stdout


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("email/gmail_to_canonical_v1", "email/no_such_v1", 4),
        ("registry: transforms", "registry: no-registry", 4),
        ("registry: transforms", "registry: transforms\n    command: no-such-can", 2),
        ("  index:\n", "  index:\n    command: no-such-projector\n", 2),
    ],
)
def test_what_needs_no_source_is_checked_before_one_is_queried(
    project: Project, old: str, new: str, status: int
) -> None:
    project.edit(old, new)
    run = project.run("lorchestra", "run", status=status)
    assert run.stdout == ""
    assert not project.raw.exists() or not list(project.raw.iterdir())


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


def test_advice_leads_somewhere(project: Project, tmp_path: Path) -> None:
    nothing = subprocess.run([BIN / "lorchestra", "run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert nothing.returncode == 2
    assert "lorchestra init" in nothing.stderr
    project.edit("    sources:\n", '    sources:\n      broken-source-x: {type: command, command: ["false"]}\n')
    shown = project.run("lorchestra", "run", "--stage", "extract", status=None).stdout
    (named,) = re.findall(r"see (\S+) \(private\)", shown)[:1]
    assert Path(named).is_file()
    assert "log named above" in shown
    project.edit("    registry: transforms\n", "    registry: transforms\n    validation: {max_rejects: 0}\n")
    raw = project.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_text('{"id": 7}\n')
    failed = project.run("lorchestra", "run", "--stage", "canonize", status=7).stdout
    assert "raise max_rejects" in failed
    assert not (project.canonical / "rejects" / "email-20251110.jsonl").exists()
