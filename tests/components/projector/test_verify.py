"""Every kind of damage is found by `verify`; `repair` and a pull restore the store."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.components.projector.damage import DAMAGE, FORGETS, first, flip
from tests.components.projector.harness import ROOT, Bench, FastBench, contact, email

ALL = "LORCHESTRA_FAULTS" in os.environ
REPAIRED = sorted(DAMAGE) if ALL else sorted(DAMAGE)[::12]
"""A sample; `make test-faults` repairs every kind."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with several revisions, volatile fields, rejects and a purged object."""
    bench = FastBench(tmp_path_factory.mktemp("sound"))
    bench.canonical(
        "email-20251101.jsonl", [*(email(n, labels=["a"]) for n in range(6)), email(6, size="x"), email(7, size="x")]
    )
    bench.canonical("email-20251102.jsonl", [email(1, labels=["b"]), email(2, body="changed"), email(8)])
    bench.canonical("contact-20251101.jsonl", [contact(1), contact(2, "Bo Example")])
    bench.pull()
    bench.ok("purge", "--subject", "subject=Appointment 5", "--yes")
    return bench.root


@pytest.fixture
def damaged(sound: Path, tmp_path: Path) -> FastBench:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    return FastBench(tmp_path)


def content(bench: FastBench) -> list[Any]:
    exported = sorted(bench.ok("export", "--output", "-").stdout.splitlines())
    return [exported, bench.rows("SELECT subject, labels FROM email ORDER BY 1")]


def test_a_sound_store_is_verified_and_nothing_is_written(filled: Bench) -> None:
    before = filled.content()
    assert "all 12 objects verified" in filled.ok("verify").stderr
    filled.ok("verify", "--quick")
    assert filled.content() == before


def test_a_finding_names_a_place_and_a_fault_and_nothing_else(filled: Bench) -> None:
    flip(first(filled), 400)
    report = filled.root / "verify.json"
    filled.run("verify", "--report", report)
    assert json.loads(report.read_text()) == {
        "objects": 0,
        "findings": [{"fault": "broken_seal", "where": str(first(filled).relative_to(filled.store))}],
    }


def test_flipped_bytes_anywhere_in_the_database_never_end_in_a_traceback(filled: Bench) -> None:
    path = filled.store / "metadata.db"
    sound = path.read_bytes()
    random.seed(11)
    places = random.sample(range(100, len(sound)), 6)
    for place in places:
        path.write_bytes(sound)
        flip(path, place)
        for verb in (["verify"], ["stats"], ["search", "appointment"]):
            ended = filled.run(*verb)
            assert ended.returncode in (0, 1, 2)
            assert "Traceback" not in ended.stderr
            assert "unexpected" not in ended.stderr


@pytest.mark.parametrize("kind", DAMAGE)
def test_every_kind_of_damage_is_found(damaged: FastBench, kind: str) -> None:
    finding, cause = DAMAGE[kind]
    assert cause(damaged) is not False
    ended = damaged.run("verify", "--format", "jsonl")
    assert ended.returncode == 1
    assert "repair" in ended.stderr
    if finding:
        assert finding in {row["fault"] for row in ended.rows()}


@pytest.mark.parametrize("kind", REPAIRED)
def test_repair_and_a_pull_restore_the_store(damaged: FastBench, kind: str) -> None:
    before = content(damaged)
    DAMAGE[kind].cause(damaged)
    damaged.ok("repair", "--schemas", damaged.schemas)
    damaged.verify()
    damaged.pull()
    damaged.verify()
    assert content(damaged) == before or kind in FORGETS


def test_the_page_names_every_finding() -> None:
    page = (ROOT / "docs" / "store.md").read_text()
    documented = set(
        re.findall(r"`([a-z_]+)`", page[page.index("### What `verify` finds") : page.index("### The ledger")])
    )
    assert {finding.split()[0] for finding, _ in DAMAGE.values() if finding} <= documented


def test_the_number_of_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{len(DAMAGE)} kinds of damage; {len(REPAIRED)} repaired")
    assert len(DAMAGE) >= 93
