"""`lorchestra run` and its usage errors, through the real program."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.harness import BIN, Project, lines


def test_unmatched_and_misnamed_files_are_reported_in_every_run(built: Project) -> None:
    (built.raw / "unknown-thing-20251110.jsonl").touch(mode=0o600)
    (built.raw / "Somebody@Example.org.txt").touch(mode=0o600)
    for _ in range(2):
        told = built.run("lorchestra", "run", "--stage", "canonize").stdout
        assert "1 raw file without a mapping" in told
        assert "1 file in the raw directory ignored: misnamed" in told


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
def test_a_usage_error_is_explained(project: Project, argv: list[str], status: int) -> None:
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


def test_a_no_op_shows_its_counts_and_is_recorded(built: Project) -> None:
    built.run("lorchestra", "run", "--stage", "canonize")  # a copied project is looked at once more
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


def test_a_run_after_a_failure_is_no_no_op(built: Project) -> None:
    built.run("lorchestra", "run", "--stage", "index")
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    content = raw.read_bytes()
    raw.write_bytes(b"no\n")
    for _ in range(2):
        built.run("lorchestra", "run", "--stage", "canonize", status=3)
        built.run("lorchestra", "run", "--stage", "index", status=3)
    raw.write_bytes(content)
    built.run("lorchestra", "run", "--stage", "index")


def test_files_that_others_can_read_are_refused_before_a_source_is_queried(built: Project) -> None:
    (built.canonical / "email-20251110.jsonl").chmod(0o644)
    refused = built.run("lorchestra", "run", status=5)
    assert refused.stdout == ""
    assert "chmod" in refused.stderr
    assert built.run("doit", "extract", status=3).stdout == ""


def test_a_meltano_job_is_shown_as_its_extractors(project: Project) -> None:
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


def test_if_every_source_fails_only_the_stage_fails(project: Project) -> None:
    text = (project.root / "pipeline.yaml").read_text()
    before, _, rest = text.partition("    sources:\n")
    after = rest[rest.index("  canonize:") :]
    project.configure(f'{before}    sources:\n      broken-source-x: {{type: command, command: ["false"]}}\n{after}')
    told = project.run("lorchestra", "run", status=1).stdout
    assert told.count("!!") == 1
    assert project.state()["stages"]["extract"]["status"] == "FAILED"
    assert "fault of the program" not in told


def test_the_program_of_a_source_is_looked_up_next_to_the_configuration(project: Project) -> None:
    project.edit("    sources:\n", "    sources:\n      gmail-export: {type: command, command: ./export}\n")
    missing = project.run("lorchestra", "validate", status=2).stdout
    assert f"{project.root}/export" in missing
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


def test_advice_names_commands_that_exist(project: Project, tmp_path: Path) -> None:
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


def test_the_first_dry_run_shows_every_stage(project: Project) -> None:
    planned = project.run("lorchestra", "run", "--dry-run").stdout
    assert [line.split()[1] for line in planned.splitlines()[:7]] == [
        "extract:gmail-messages-a",
        "extract:exchange-messages-b",
        "extract:contacts-dataverse",
        "canonize:contact-*",
        "canonize:email-*",
        "index:contact",
        "index:email",
    ]
    assert not (project.root / "phi-data").exists()


def test_verbose_lists_what_is_up_to_date(built: Project) -> None:
    built.run("lorchestra", "run", "--stage", "canonize")
    shown = built.run("lorchestra", "run", "--stage", "canonize", "--verbose").stdout
    assert "-- canonize:contact-20251110\n-- canonize:email-20251110\n-- canonize:email-20251111\n" in shown


def test_a_rise_of_the_lost_share_is_a_warning(built: Project) -> None:
    raw = built.raw / "contacts-dataverse-20251110.jsonl"
    raw.write_bytes(raw.read_bytes() + b'{"no": "contact"}\n')
    shown = built.run("lorchestra", "run", "--stage", "canonize").stdout
    assert "Warning: canonize:contact-20251110: 33% of the records were lost, 0% before" in shown
    built.run("doit", "forget", "canonize:contact-20251110")
    assert "Warning" not in built.run("lorchestra", "run", "--stage", "canonize").stdout


def test_dropped_records_are_reported(built: Project) -> None:
    """A transform whose path is misspelled gives nothing for any record."""
    spec = built.root / "transforms/contact/dataverse_contact_to_canonical_v1.jsonata"
    spec.write_text("$$.nosuch.path\n")
    built.run("can", "registry", "checksum", "--registry", "transforms", "--write")
    shown = built.run("lorchestra", "run", "--stage", "canonize").stdout
    assert "Warning: canonize:contact-20251110: no record was converted: 2 dropped of 2 records" in shown
    assert "lost       contact-20251110: no record was converted: 2 dropped" in built.run("lorchestra", "status").stdout


def test_ignoring_a_task_leaves_out_that_task_only(built: Project) -> None:
    built.run("doit", "ignore", "extract:gmail-messages-a", "index:contact")
    for path in built.canonical.glob("*.jsonl"):
        path.unlink()
    ran = built.ran("doit")
    assert {"extract:contacts-dataverse", "canonize:email-20251110"} <= ran
    assert not {"extract:gmail-messages-a", "index:contact"} & ran
    shown = built.run("doit", "index:contact").stdout
    assert "index:contact                                  ignored; `doit forget index:contact`" in shown
    assert "extract:" not in shown
    values = json.loads(built.run("doit", "dumpdb").stdout)["tasks"]["extract:gmail-messages-a"]["_values_:"]
    assert values["records"] == 6
    built.run("doit", "forget", "extract:gmail-messages-a")
    assert "extract:gmail-messages-a" in built.ran("doit", "extract")


def test_a_project_whose_tasks_are_all_ignored_is_not_empty(built: Project) -> None:
    built.run("doit", "ignore", "canonize")
    shown = built.run("doit", "canonize").stdout
    assert "3 tasks ignored" in shown
    assert "Nothing to do" not in shown


def test_a_canonizer_that_is_not_the_version_that_was_planned_builds_nothing(project: Project) -> None:
    """As if it were upgraded between the plan and the start of a worker."""
    script = project.root / "replaced-can"
    script.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "can 9.9.9 (jsonatapy 1)" || exec {BIN}/can "$@"\n')
    script.chmod(0o755)
    project.edit("    registry: transforms\n", "    registry: transforms\n    command: ./replaced-can\n")
    ended = project.run("lorchestra", "run", status=75)
    assert "canonizer is can " in ended.stdout and "the job requires can 9.9.9" in ended.stdout
    assert not list(project.canonical.glob("*.jsonl"))
