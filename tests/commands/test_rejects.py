"""`lorchestra rejects`, through the real programs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.harness import BIN, Project

SECRET = "canary7f3a"


@pytest.fixture
def rejecting(built: Project) -> Project:
    """Three records that no schema takes, in two files."""
    for name, count in (("gmail-messages-a-20251110.jsonl", 2), ("contacts-dataverse-20251110.jsonl", 1)):
        with (built.raw / name).open("a") as file:
            file.write(f'{{"no": "{SECRET}\\u001b[2J"}}\n' * count)
    built.run("lorchestra", "run", "--stage", "index")
    return built


def answer(project: Project, reply: str) -> tuple[int, str]:
    """`rejects --show` on a terminal, and its exit status."""
    main, terminal = pty.openpty()
    try:
        child = subprocess.Popen(
            [BIN / "lorchestra", "rejects", "--show"],
            cwd=project.root,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.write(main, reply.encode())
        os.close(terminal)
        shown = b""
        try:
            while part := os.read(main, 65536):
                shown += part
        except OSError:  # the last program has closed the terminal
            pass
        return child.wait(), shown.decode()
    finally:
        os.close(main)


def test_rejects_are_counted_by_rule_and_schema_path(rejecting: Project) -> None:
    found = json.loads(rejecting.run("lorchestra", "rejects", "--json").stdout)
    assert (found["records"], found["files"]) == (3, ["contact-20251110.jsonl", "email-20251110.jsonl"])
    assert [(one["records"], one["type"], one["stage"]) for one in found["groups"]] == [
        (2, "email", "schema_in"),
        (1, "contact", "schema_in"),
    ]
    assert all(one["place"].startswith("/") for one in found["groups"])
    shown = rejecting.run("lorchestra", "rejects").stdout
    assert "3 rejected records in 2 files" in shown and SECRET not in shown


@pytest.mark.parametrize(
    ("options", "records"),
    [
        (["--type", "contact"], 1),
        (["--rule", "required"], 2),
        (["--rule", "schema_in:required"], 2),
        (["--rule", "schema_out:required"], 0),
        (["--since", "2025-11-10"], 3),
        (["--since", "2025-11-11"], 0),
    ],
    ids=["type", "rule", "stage and rule", "other stage", "same day", "later"],
)
def test_filters(rejecting: Project, options: list[str], records: int) -> None:
    found = json.loads(rejecting.run("lorchestra", "rejects", "--json", *options).stdout)
    assert found["records"] == records


@pytest.mark.parametrize("action", [[], ["retry"]], ids=["count", "retry"])
def test_a_misspelled_type_is_a_failure(built: Project, action: list[str]) -> None:
    failed = built.run("lorchestra", "rejects", *action, "--type", "contat", status=2)
    assert "there is no type contat; did you mean contact?" in failed.stderr


def test_refused_raw_files_are_listed_too(built: Project) -> None:
    assert built.run("lorchestra", "rejects").stdout == "no rejected records, no refused files\n"
    attempt = built.root / "phi-data/.work/refused/gmail-messages-a/1"
    attempt.mkdir(parents=True, mode=0o700)
    for directory in (attempt.parent, attempt.parent.parent):
        directory.chmod(0o700)
    (attempt / "stream.jsonl").write_text("{}\n")
    (attempt / "stream.jsonl").chmod(0o600)
    assert "refused  stream.jsonl  gmail-messages-a  1 line\n" in built.run("lorchestra", "rejects").stdout
    found = json.loads(built.run("lorchestra", "rejects", "--json").stdout)
    assert found["refused"] == [{"source": "gmail-messages-a", "file": "stream.jsonl", "lines": 1}]


def test_damaged_lines_are_counted(rejecting: Project) -> None:
    with (rejecting.canonical / "rejects/email-20251110.jsonl").open("a") as file:
        file.write(f"{SECRET}\n[]\n")
    found = json.loads(rejecting.run("lorchestra", "rejects", "--json", "--rule", "damaged_line").stdout)
    assert found["records"] == 2


def test_records_are_shown_only_on_a_terminal_after_confirmation_and_noted(rejecting: Project) -> None:
    piped = rejecting.run("lorchestra", "rejects", "--show", status=2)
    assert "needs a terminal" in piped.stderr and SECRET not in piped.stdout
    status, shown = answer(rejecting, "n\n")
    assert status == 130 and SECRET not in shown
    status, shown = answer(rejecting, "y\n")
    assert status == 0 and shown.count(SECRET) == 3 and "\x1b" not in shown
    entries = rejecting.run("lorchestra", "audit", "show", "--json", "--last", "1").stdout
    entry = json.loads(entries)
    assert (entry["command"], entry["records"]) == ("lorchestra rejects --show", 3)
    assert SECRET not in entries


def test_retry_rebuilds_exactly_the_files_concerned_as_a_full_rebuild_would(rejecting: Project, tmp_path: Path) -> None:
    marked = rejecting.run("lorchestra", "rejects", "retry", "--type", "email").stdout
    assert marked.splitlines() == ["will be rebuilt: canonize:email-20251110", "Next: lorchestra run --stage index"]
    assert rejecting.ran("lorchestra", "run", "--stage", "canonize") == {"canonize:email-20251110"}
    before = rejecting.canonical_bytes()
    full = rejecting.copy(tmp_path / "full")
    full.run("lorchestra", "clean", "--yes")
    full.run("lorchestra", "run", "--stage", "canonize")
    assert full.canonical_bytes() == before


def test_what_the_store_rejects_is_counted_traced_and_retried(built: Project) -> None:
    file = built.canonical / "contact-20251110.jsonl"
    with file.open("a") as out:
        out.write(f'{{"schema": "iglu:org.canonical/contact/jsonschema/1-0-0", "no": "{SECRET}"}}\n')
    built.run("vector-projector", "pull", "--input", str(built.canonical), "--store", str(built.store), status=None)
    (group,) = json.loads(built.run("lorchestra", "rejects", "--json").stdout)["groups"]
    assert (group["records"], group["type"], group["stage"]) == (1, "contact", "index")
    (one,) = json.loads(built.run("lorchestra", "trace", f"{file.name}:3", "--json").stdout)
    assert (one["outcome"], one["rejected_by"], one["rule"]) == ("rejected", "index", group["rule"])
    assert "will be rebuilt: index:contact\n" in built.run("lorchestra", "rejects", "retry").stdout
    built.run("lorchestra", "run", "--stage", "index")  # also rebuilds the edited file
    assert json.loads(built.run("lorchestra", "rejects", "--json").stdout)["records"] == 0


def test_retry_without_rejects_changes_nothing(built: Project) -> None:
    assert built.run("lorchestra", "rejects", "retry").stdout == "nothing to retry\n"
    assert built.ran("lorchestra", "run", "--stage", "index") == set()
