"""The end of a run, as a person reads it."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from tests.harness import BIN, Project


def on_a_terminal(project: Project, *argv: str, columns: int) -> list[str]:
    """The lines that a program prints on a terminal of some width."""
    leader, follower = os.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    child = subprocess.Popen(
        [BIN / argv[0], *argv[1:]], cwd=project.root, env=environment,
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    output = b""
    while part := _read(leader):
        output += part
    child.wait(60)
    os.close(leader)
    return output.decode().splitlines()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the last process that had the terminal has ended
        return b""


@pytest.mark.parametrize(("columns", "is_table"), [(50, False), (120, True)])
def test_the_table_fits_the_terminal(built: Project, columns: int, is_table: bool) -> None:
    built.run("lorchestra", "run", "--stage", "canonize")  # a copied project is looked at once more
    lines = on_a_terminal(built, "lorchestra", "run", "--stage", "canonize", columns=columns)
    assert any("records in" in line for line in lines) is is_table
    if not is_table:
        assert "canonize (files): 3 unchanged" in lines
        assert max(map(len, lines)) <= columns


def test_a_failure_names_what_did_not_run(built: Project) -> None:
    (built.raw / "gmail-messages-a-20251110.jsonl").write_text("no JSON\n")
    built.edit("pipeline: {name: test}", "pipeline: {name: test}\nbehavior: {fail_fast: true, jobs: 1}")
    shown = built.run("doit", "canonize", "index", status=1).stdout
    assert "Not run because of that: index, canonize:email-20251111." in shown


def test_a_misspelled_task_is_answered_with_one_that_exists(built: Project) -> None:
    shown = built.run("doit", "canonize:nope", status=3).stderr
    assert "For example, canonize:contact-20251110 is one." in shown
    assert "Did you mean index:email?" in built.run("doit", "index:mail", status=3).stderr
    assert "Did you mean extract?" in built.run("doit", "extrct", status=3).stderr


def test_counts_of_one_are_singular(project: Project) -> None:
    project.edit("days: 1, records: 2, seed: 3", "days: 1, records: 1, seed: 3")
    project.edit("    sources:\n", "    validation: {require_files: 9}\n    sources:\n")
    shown = project.run("doit", "extract:contacts-dataverse", status=1).stdout
    assert "extraction produced 1 file (1 record); validation asks for at least 9 files and 0 records" in shown


def test_files_that_wait_for_the_next_run_are_shown(project: Project) -> None:
    inbox = project.root / "phi-data" / "inbox"
    inbox.mkdir(parents=True, mode=0o700)
    (project.root / "phi-data").chmod(0o700)
    source = "diary-entries-x: {type: files, inbox: phi-data/inbox, mode: copy}"
    project.edit("    sources:\n", f"    sources:\n      {source}\n")
    file = inbox / "diary-entries-x-20251110.jsonl"
    file.write_text('{"id": 1}\n')
    with project.start("doit", "extract") as run:
        while run.poll() is None:
            os.utime(file)  # as somebody who goes on writing
            time.sleep(0.1)
        shown = run.communicate()[0]
    assert "1 new file left for the next run: somebody may still be writing it." in shown
