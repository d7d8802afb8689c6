"""`repair` after schemas were edited in place, on full disks, and on stores of newer programs."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import apsw
import pytest

from tests.components.projector.damage import flip
from tests.components.projector.harness import NOTE, PROGRAM, Bench, contact, email, note, note_schema

RULES: tuple[dict[str, Any], ...] = (
    {"x-text": ["a"]},
    {"x-text": ["a", "b"]},
    {"x-text": ["b"], "x-title": "a"},
    {"x-text": ["a"], "x-time": "b"},
    {"x-volatile": ["b"]},
    {"x-text": ["a"], "x-volatile": ["a"]},
    {},
)


@pytest.mark.parametrize("before", range(len(RULES)))
@pytest.mark.parametrize("after", range(len(RULES)))
def test_repair_keeps_every_value_when_rules_were_edited_in_place(bench: Bench, before: int, after: int) -> None:
    bench.schema(NOTE, note_schema(RULES[before]))
    bench.canonical("note-20250101.jsonl", [note(1)])
    bench.pull()
    bench.schema(NOTE, note_schema(RULES[after], "c"))
    bench.canonical("note-20250102.jsonl", [note(2, c="gamma")])
    bench.pull()
    bench.verify()
    bench.ok("repair", "--schemas", bench.schemas)
    bench.verify()
    assert [(row["id"], row["a"], row["b"], row["c"]) for row in bench.rows("SELECT * FROM note ORDER BY id")] == [
        ("1", "alpha1", "2025-01-02", None),
        ("2", "alpha2", "2025-01-02", "gamma"),
    ]


def test_repair_on_a_full_disk_ends_with_6_and_leaves_nothing(filled: Bench) -> None:
    before = filled.content()
    inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64"]
    inject += ["-e", "inject=pwrite64:error=ENOSPC:when=5"]
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    command = [*inject, str(PROGRAM), "repair", "--store", str(filled.store), "--schemas", str(filled.schemas)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 6, ended.stderr
    assert filled.content() == before
    filled.verify()


def test_repair_does_not_downgrade_a_store_of_a_newer_program(filled: Bench) -> None:
    connection = apsw.Connection(str(filled.store / "metadata.db"))
    connection.pragma("user_version", 999)
    connection.close()
    ended = filled.run("repair", "--schemas", filled.schemas)
    assert (ended.returncode, "written by a newer program" in ended.stderr) == (1, True)


def test_repair_gives_swapped_objects_their_names_back_and_fixes_modes(filled: Bench) -> None:
    first, second = filled.objects()[:2]
    aside = first.with_suffix(".aside")
    first.rename(aside), second.rename(first), aside.rename(second)
    (filled.store / "metadata.db").chmod(0o644)
    first.parent.chmod(0o755)
    filled.ok("repair", "--schemas", filled.schemas)
    filled.verify()
    assert filled.pull()["inserted"] == 0


def test_repair_rebuilds_the_database_from_the_objects_alone(filled: Bench) -> None:
    filled.canonical("contact-20251102.jsonl", [contact(1, "Ada Married")])
    filled.pull()
    questions = (
        ["query", "SELECT * FROM email_history ORDER BY _id"],
        ["query", "SELECT * FROM contact_history ORDER BY _id, _revision"],
        ["search", "appointment"],
        ["list", "email", "--limit", "all"],
    )

    def answers() -> list[str]:
        said = [filled.ok(*question, "--format", "jsonl").rows() for question in questions]
        return [json.dumps([{k: v for k, v in row.items() if k != "_no"} for row in rows]) for rows in said]

    before = answers()
    for path in filled.store.glob("metadata.db*"):
        path.unlink()
    shutil.rmtree(filled.store / "registry")
    filled.ok("repair", "--schemas", filled.schemas)
    filled.verify()
    assert answers() == before
    assert filled.registry("email")["holds"] is None
    report = filled.pull()
    assert (report["duplicates"], report["inserted"], report["retired"]) == (13, 0, 0)
    filled.verify()


def test_repair_without_the_schemas_takes_the_columns_from_the_records(filled: Bench) -> None:
    (filled.store / "metadata.db").write_bytes(b"ruined")
    filled.ok("repair", "--schemas", filled.root / "nowhere")
    assert filled.rows("SELECT subject, body FROM email WHERE subject = 'Appointment 3'") == [
        {"subject": "Appointment 3", "body": email(3)["body"]}
    ]
    filled.verify()
    filled.pull()
    filled.verify()


def test_repair_sets_broken_and_foreign_files_aside_and_pull_brings_back_what_is_missing(filled: Bench) -> None:
    broken, gone = filled.objects()[:2]
    flip(broken, 400)
    gone.unlink()
    (filled.store / "objects" / "notes").write_text("mine")
    assert "10 objects, 2 broken or foreign files moved to quarantine" in filled.ok("repair").stderr
    assert sorted(path.name for path in (filled.store / "quarantine").iterdir()) == sorted([broken.name, "notes"])
    filled.verify()
    assert filled.pull()["inserted"] == 2
    filled.verify()


def test_repair_twice_keeps_what_is_in_quarantine(filled: Bench) -> None:
    for _ in range(2):
        (filled.store / "objects" / "notes").write_text("mine")
        filled.ok("repair")
    assert len(list((filled.store / "quarantine").iterdir())) == 2


def test_repair_keeps_tombstones(filled: Bench) -> None:
    filled.ok("purge", filled.registry("email")["ids"][0], "--yes")
    filled.ok("repair")
    filled.verify()
    assert filled.pull()["purged"] == 1
