"""Random histories of a store: after any sequence of operations and losses it is sound and holds the right records.

`make test` runs the same few short histories each time. With LORCHESTRA_HISTORIES=N, N random ones of
LORCHESTRA_HISTORY_STEPS steps run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.components.projector.damage import DAMAGE, FORGETS
from tests.components.projector.harness import NOTE, FastBench, note, note_schema

RANDOM = "LORCHESTRA_HISTORIES" in os.environ
pytestmark = pytest.mark.timeout(0 if RANDOM else 600)  # a long search takes as long as it takes
EXAMPLES = int(os.environ.get("LORCHESTRA_HISTORIES", "4"))
STEPS = int(os.environ.get("LORCHESTRA_HISTORY_STEPS", "8"))
RULES: tuple[dict[str, Any], ...] = (
    {"x-text": ["a"]},
    {"x-text": ["a", "b"]},
    {"x-text": ["b"], "x-title": "a"},
    {"x-text": ["a"], "x-time": "b"},
    {"x-volatile": ["b"]},
    {"x-text": ["a"], "x-volatile": ["a"]},
    {},
)
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # most of the time is otherwise spent in fsync
DAYS = st.integers(1, 3)
NUMBERS = st.lists(st.integers(1, 6), min_size=1, max_size=4)
WORDS = st.sampled_from("xyz")


class Histories(RuleBasedStateMachine):
    """Pulls, edits of the schema, purges, repairs, copies, damage and losses, in any order.

    The model: what the canonical files hold, and which records were purged.
    """

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(dir=MEMORY)
        self.bench = FastBench(Path(self._directory.name))
        self.copy = self.bench.root / "copy"
        self.files: dict[str, list[dict[str, Any]]] = {}
        self.purged: set[str] = set()

    def teardown(self) -> None:
        self._directory.cleanup()

    @initialize(rules=st.sampled_from(RULES))
    def begin(self, rules: dict[str, Any]) -> None:
        self.bench.schema(NOTE, note_schema(rules))
        self.deliver(1, [1, 2], "x", "2025-01-02")

    @rule(day=DAYS, numbers=NUMBERS, word=WORDS, b=st.sampled_from(["2025-01-02", "other"]))
    def deliver(self, day: int, numbers: list[int], word: str, b: str) -> None:
        name = f"note-2025010{day}.jsonl"
        self.files[name] = [note(number, a=f"alpha {word}", b=b) for number in numbers]
        self.bench.canonical(name, self.files[name])
        self.bench.pull()

    @precondition(lambda self: len(self.files) > 1)
    @rule(at=st.integers(0, 2))
    def withdraw(self, at: int) -> None:
        """Remove a canonical file and retire its records."""
        name = sorted(self.files)[at % len(self.files)]
        del self.files[name]
        (self.bench.input / name).unlink()
        self.bench.pull("--prune")

    @rule(rules=st.sampled_from(RULES), more=st.booleans())
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

    @rule()
    def compact(self) -> None:
        self.bench.ok("compact")

    @rule()
    def save_a_copy(self) -> None:
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.bench.store, self.copy, ignore=shutil.ignore_patterns("quarantine"))

    @precondition(lambda self: self.copy.exists())
    @rule()
    def restore_the_copy(self) -> None:
        """An older store, whole: the ledger keeps what was purged since."""
        shutil.rmtree(self.bench.store)
        shutil.copytree(self.copy, self.bench.store)
        self.bench.pull("--prune")

    @precondition(lambda self: self.copy.exists())
    @rule()
    def restore_the_older_database(self) -> None:
        """An older database alone: it disagrees with the objects, so it is repaired."""
        for path in self.bench.store.glob("metadata.db*"):
            path.unlink()
        shutil.copy(self.copy / "metadata.db", self.bench.store)
        self.repair()
        self.bench.pull("--prune")

    @rule(part=st.sampled_from(["*.purged", "metadata.db*", "registry/*"]))
    def lose(self, part: str) -> None:
        for path in list(self.bench.store.rglob(part)):
            path.unlink()
        self.repair()
        if part.startswith("metadata"):  # with it went the knowledge of what was retired
            self.bench.pull("--prune")

    @rule()
    def lose_the_store(self) -> None:
        shutil.rmtree(self.bench.store)
        self.bench.pull()

    @precondition(lambda self: self.bench.objects())
    @rule(kind=st.sampled_from(sorted(DAMAGE.keys() - FORGETS)))
    def damage(self, kind: str) -> None:
        """Any damage that applies is found, and repair fixes it."""
        if DAMAGE[kind].cause(self.bench) is not False:
            found = self.bench.run("verify", "--format", "jsonl")
            assert found.returncode == 1, kind
            assert DAMAGE[kind].finding in {"", *(row["fault"] for row in found.rows())}, kind
            self.repair()
            self.bench.pull("--prune")

    @invariant()
    def is_sound_and_holds_the_right_records(self) -> None:
        if not self.bench.store.exists():
            return
        self.bench.verify()
        self.bench.pull()
        self.bench.verify()
        held = {record["id"] for records in self.files.values() for record in records} - self.purged
        newest: dict[str, tuple[str, str]] = {}
        for name in sorted(self.files):
            newest |= {record["id"]: (record["a"], record["b"]) for record in self.files[name]}
        rows = self.bench.rows("SELECT id, a, b FROM note")
        assert {row["id"]: (row["a"], row["b"]) for row in rows} == {key: newest[key] for key in held}


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    derandomize=not RANDOM,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # reducing a history that fails takes minutes
    report_multiple_bugs=False,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
