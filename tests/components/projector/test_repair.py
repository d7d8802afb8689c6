"""`repair` after schemas were edited in place, on full disks, and on stores of newer programs."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import apsw
import pytest

from tests.components.projector.harness import NOTE, PROGRAM, Bench, email, note, note_schema

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
    bench.proven()
    bench.ok("repair", "--schemas", bench.schemas)
    bench.proven()
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
    filled.proven()


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
    filled.proven()
    assert filled.pull()["inserted"] == 0


def test_a_purged_word_of_sqlite_s_own_schema_is_no_trace(bench: Bench) -> None:
    words = "version integer primary references content deletesecure trigger holding tokenize unicode61 diacritics"
    bench.canonical("email-20251101.jsonl", [email(1, body=f"my {words} here"), email(2)])
    bench.pull()
    identity = bench.rows("SELECT _id FROM email WHERE message_id = '<1@example.org>'")[0]["_id"]
    bench.ok("purge", identity, "--yes")
    bench.proven()
