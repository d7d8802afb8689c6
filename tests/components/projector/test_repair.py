"""`repair` under schemas that were edited in place, full disks and newer programs; and random histories of a store."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.components.projector.harness import PROGRAM, Bench, email

EXAMPLES = int(os.environ.get("LORCHESTRA_HISTORIES", "2"))
"""Random histories of a store; `make test-faults` runs many more."""
NOTE = "iglu:org.x/note/jsonschema/1-0-0"
RULES: tuple[dict[str, Any], ...] = (
    {"x-text": ["a"]},
    {"x-text": ["a", "b"]},
    {"x-text": ["b"], "x-title": "a"},
    {"x-text": ["a"], "x-time": "b"},
    {"x-volatile": ["b"]},
    {"x-text": ["a"], "x-volatile": ["a"]},
    {},
)


def note_schema(rules: dict[str, Any], *more: str) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in ("id", "a", "b", "schema", *more)}
    return {"type": "object", "properties": properties, "x-key": ["id"], **rules}


def note(number: int, **fields: str) -> dict[str, Any]:
    return {"id": str(number), "a": f"alpha{number}", "b": "2025-01-02", "schema": NOTE, **fields}


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


class Histories(RuleBasedStateMachine):
    """Pulls, edits of the schema, purges, repairs and lost parts, in any order: the store is always sound afterwards.

    The model: which records the canonical files hold, and which were purged.
    """

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self._directory.name))
        self.files: dict[str, list[dict[str, Any]]] = {}
        self.purged: set[str] = set()
        self.bench.schema(NOTE, note_schema(RULES[0]))
        self.deliver(1, [1, 2], "x")

    def teardown(self) -> None:
        self._directory.cleanup()

    @rule(
        day=st.integers(1, 3), numbers=st.lists(st.integers(1, 6), min_size=1, max_size=4), word=st.sampled_from("xyz")
    )
    def deliver(self, day: int, numbers: list[int], word: str) -> None:
        name = f"note-2025010{day}.jsonl"
        self.files[name] = [note(number, a=f"alpha {word}") for number in numbers]
        self.bench.canonical(name, self.files[name])
        self.bench.pull()

    @rule(rules=st.sampled_from(RULES[:4]), more=st.booleans())
    def edit_schema(self, rules: dict[str, Any], more: bool) -> None:
        self.bench.schema(NOTE, note_schema(rules, *(["c"] if more else [])))

    @rule(at=st.integers(0, 5))
    def purge(self, at: int) -> None:
        rows = self.bench.rows("SELECT _id, id FROM note ORDER BY id")
        if rows:
            row = rows[at % len(rows)]
            self.bench.ok("purge", row["_id"], "--yes")
            self.purged.add(row["id"])

    @rule()
    def repair(self) -> None:
        self.bench.ok("repair", "--schemas", self.bench.schemas)

    @rule(part=st.sampled_from(["*.purged", "metadata.db*"]))
    def lose(self, part: str) -> None:
        for path in list(self.bench.store.rglob(part)):
            path.unlink()
        self.bench.ok("repair", "--schemas", self.bench.schemas)

    @rule()
    def lose_the_store(self) -> None:
        shutil.rmtree(self.bench.store)
        self.bench.pull()

    @invariant()
    def sound(self) -> None:
        self.bench.proven()
        self.bench.pull()
        self.bench.proven()
        held = {record["id"] for records in self.files.values() for record in records}
        rows = self.bench.rows("SELECT id, a, b FROM note")
        assert {row["id"] for row in rows} == held - self.purged
        newest: dict[str, str] = {}
        for name in sorted(self.files):
            newest |= {record["id"]: record["a"] for record in self.files[name]}
        assert {row["id"]: row["a"] for row in rows} == {key: newest[key] for key in held - self.purged}


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=6, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_a_purged_word_of_sqlite_s_own_schema_is_no_trace(bench: Bench) -> None:
    words = "version integer primary references content deletesecure trigger holding tokenize unicode61 diacritics"
    bench.canonical("email-20251101.jsonl", [email(1, body=f"my {words} here"), email(2)])
    bench.pull()
    identity = bench.rows("SELECT _id FROM email WHERE message_id = '<1@example.org>'")[0]["_id"]
    bench.ok("purge", identity, "--yes")
    bench.proven()
