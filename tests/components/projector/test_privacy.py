"""No word of a record leaves the store unasked: tokens are planted everywhere and searched for everywhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.components.projector.harness import EMAIL, Bench, Ended

TOKEN = "canary7f3a"


def planted(number: int, **fields: Any) -> dict[str, Any]:
    """A record with the token in every value and in keys of its own."""
    record = {
        "message_id": f"<{TOKEN}-{number}>",
        "subject": f"{TOKEN} subject",
        "body": f"about {TOKEN}",
        "from": f"{TOKEN}@example.org",
        "date": f"{TOKEN}",
        "to": [{"email": f"{TOKEN}@example.org"}],
        "labels": [TOKEN],
        f"key_{TOKEN}": TOKEN,
        "schema": EMAIL,
    }
    return {**record, **fields}


def silent(ended: Ended, *, stdout: bool = True) -> None:
    assert TOKEN not in ended.stderr
    if stdout:
        assert TOKEN not in ended.stdout


@pytest.fixture
def canary(bench: Bench) -> Bench:
    """A store full of tokens, with rejects of every kind."""
    bench.canonical(
        "email-20251101.jsonl",
        [
            planted(1),
            planted(2, size=TOKEN),
            planted(3, schema=TOKEN),
            planted(4, to=TOKEN),
            planted(5, message_id=None),
            {"schema": EMAIL, TOKEN: 1},
        ],
    )
    bench.canonical("email-20251102.jsonl", [planted(1, subject=f"other {TOKEN}"), planted(7)])
    return bench


def test_pull_tells_counts_and_rules_and_nothing_more(canary: Bench) -> None:
    ended, report = canary.try_pull()
    assert report["rejected"] == 5
    silent(ended)
    assert TOKEN not in json.dumps(report)
    assert TOKEN not in (canary.store / "registry" / "email.json").read_text()


@pytest.mark.parametrize(
    "line",
    [
        f"{{{TOKEN}",
        f'"{TOKEN}"',
        json.dumps(planted(9, schema=f"iglu:{TOKEN}/x/jsonschema/1-0-0")),
        json.dumps(planted(9, schema=EMAIL)).removesuffix("}") + f', "d": {"[" * 2000}"{TOKEN}"{"]" * 2000}}}',
    ],
)
def test_a_failing_pull_does_not_quote_what_it_stumbled_over(canary: Bench, line: str) -> None:
    canary.canonical("email-20251103.jsonl", [line])
    ended, report = canary.try_pull()
    silent(ended)
    assert TOKEN not in json.dumps(report)


def test_other_verbs_print_nothing_of_a_record(canary: Bench) -> None:
    canary.pull()
    (row, *_) = canary.rows("SELECT _id FROM email WHERE _revision = 2")
    one = row["_id"]
    for verb in (
        ["stats"],
        ["verify"],
        ["get", one, "--history"],
        ["get", one, "--origin"],
        ["query", "--views"],
        ["compact"],
        ["repair", "--schemas", canary.schemas],
        ["export", "--output", canary.root / "out"],
        ["purge", one, "--dry-run"],
        ["query", "SELECT json_extract(_record, subject) FROM email"],
        [
            "query",
            "SELECT abs('9' || substr(subject, 1, 0) || '223372036854775808') , fulltext.title FROM fulltext(subject)",
        ],
        ["purge", one, "--yes"],
        ["verify"],
    ):
        silent(canary.run(*map(str, verb)))


def test_damage_is_reported_without_content(canary: Bench) -> None:
    canary.pull()
    for path in canary.objects():
        path.write_bytes(path.read_bytes().replace(TOKEN.encode(), TOKEN.upper().encode()))
    silent(canary.run("verify"))
    silent(canary.run("get", canary.registry("email")["ids"][0]))
    silent(canary.run("search", "about"))
    silent(canary.run("export", "--output", "-"))
    silent(canary.run("purge", canary.registry("email")["ids"][0], "--yes"))
    silent(canary.run("repair"))


def test_names_of_files_hold_no_word_of_a_record(canary: Bench) -> None:
    canary.pull()
    assert not [path for path in canary.store.rglob("*") if TOKEN in path.name]


def test_nothing_is_written_outside_of_the_store_and_the_report(canary: Bench, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(canary.store)}
    canary.pull()
    after = {path for path in tmp_path.rglob("*") if not path.is_relative_to(canary.store)}
    assert {path.name for path in after - before} <= {"store", "report.json"}
