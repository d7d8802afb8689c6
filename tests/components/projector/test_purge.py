"""Purging: nothing of an object is left in the store, and no pull brings it back."""

from __future__ import annotations

import json
import os
import random

import apsw
import pytest

from tests.components.projector.harness import EMAIL, Bench, contact, email


def all_bytes(bench: Bench) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(bench.store.rglob("*")) if path.is_file())


def test_purge_leaves_nothing_and_the_next_pull_does_not_bring_it_back(bench: Bench) -> None:
    secret = email(5, subject="Xylophonia", body="Quetzalcoatl " * 30, **{"from": "zaphodbeeblebrox@example.org"})
    bench.canonical("email-20251101.jsonl", [*map(email, range(5)), secret])
    bench.pull()
    (row,) = bench.rows("SELECT _id FROM email WHERE subject = 'Xylophonia'")
    assert b"uetzalcoatl" in all_bytes(bench)
    ended = bench.ok("purge", row["_id"], "--yes", "--format", "jsonl")
    assert [(place["canonical_file"], place["canonical_line"]) for place in ended.rows()] == [
        ("email-20251101.jsonl", 6)
    ]
    content = all_bytes(bench).lower()
    for word in (b"xylophonia", b"uetzalcoatl", b"zaphodbeeblebrox"):
        assert word not in content
    bench.verify()
    os.utime(bench.input / "email-20251101.jsonl")
    with (bench.input / "email-20251101.jsonl").open("a") as file:
        file.write("\n")
    report = bench.pull()
    assert (report["purged"], report["inserted"], report["objects"]) == (1, 0, 5)
    assert b"uetzalcoatl" not in all_bytes(bench)
    tombstone = next(bench.store.rglob("*.purged"))
    assert json.loads(tombstone.read_text()) == {"format": "lorchestra.tombstone/1", "type": "email", "id": row["_id"]}


def test_not_even_the_beginning_of_a_purged_word_stays_between_the_pages_of_the_full_text(bench: Bench) -> None:
    """Every record has a word of its own: some of them stand where one page of the full text ends."""
    rnd = random.Random(5)
    words = ["".join(rnd.choices("abcdefgh", k=9)) for _ in range(600)]
    bench.canonical("email-20251101.jsonl", [email(n, body=word) for n, word in enumerate(words)])
    bench.pull()

    def signposts() -> set[str]:
        connection = apsw.Connection(str(bench.store / "metadata.db"))
        found = {bytes(t)[1:].decode() for (t,) in connection.execute("SELECT CAST(term AS BLOB) FROM fulltext_idx")}
        connection.close()
        return {text for text in found if len(text) >= 4}

    post = next(text for text in sorted(signposts()) if any(word.startswith(text) for word in words))
    for number, word in enumerate(words):
        if word.startswith(post):
            bench.ok("purge", "--subject", f"message_id={email(number)['message_id']}", "--yes")
    assert post not in signposts()
    bench.verify()


def test_the_proof_finds_what_a_purge_could_not_reach(filled: Bench) -> None:
    one = filled.registry("email")["ids"][0]
    subject = filled.ok("get", one).json()["body"].split()[4]
    (filled.store / "registry" / "notes.txt").write_text(f"I wrote down: {subject}")
    ended = filled.run("purge", one, "--yes")
    assert ended.returncode == 1
    assert "traces remain in: registry/notes.txt" in ended.stderr
    assert subject not in ended.stderr


def test_purge_takes_all_revisions(filled: Bench) -> None:
    filled.canonical("contact-20251102.jsonl", [contact(1, "Ada Married")])
    filled.pull()
    (row,) = filled.rows("SELECT _id FROM contact WHERE name = 'Ada Married'")
    filled.ok("purge", row["_id"], "--yes")
    assert filled.rows("SELECT * FROM contact_history WHERE contact_id = 'c1'") == []
    assert not [path for path in filled.objects() if row["_id"] in path.name]
    filled.verify()


def test_a_subject_is_found_in_any_property_however_deep_and_in_former_revisions(bench: Bench) -> None:
    records = [
        email(1, **{"from": "ada@example.org"}),
        email(2, to=[{"email": "ada@example.org"}]),
        email(3, to=[{"email": "adam@example.org"}]),
        email(4, size=42),
    ]
    bench.canonical("email-20251101.jsonl", records)
    bench.pull()
    bench.ok("purge", "--subject", "-", "--yes", stdin="to=ada@example.org\n")
    assert [row["message_id"] for row in bench.rows("SELECT message_id FROM email ORDER BY 1")] == [
        email(number)["message_id"] for number in (1, 3, 4)
    ]
    bench.ok("purge", "--subject", "size=42", "--yes")
    bench.ok("purge", "--subject", f"body={email(1)['body']}", "--yes")
    assert bench.registry("email")["objects"] == 1
    bench.verify()


def test_rejected_records_of_a_subject_go_too(bench: Bench) -> None:
    bad = email(2, size="x", **{"from": [{"address": "ada@example.org"}]})
    bench.canonical("email-20251101.jsonl", [email(1, **{"from": "ada@example.org"}), bad, email(3, size="x")])
    bench.pull()
    bench.ok("purge", "--subject", "from=ada@example.org", "--yes")
    assert b"ada@example.org" not in all_bytes(bench)
    lines = (bench.store / "rejects/email-20251101.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [3]


def test_unusual_rejected_records_do_not_stop_a_purge(bench: Bench) -> None:
    """A record deeper than what can be written again, one whose key is, and one with a CR between its fields."""
    deep = "[" * 900 + '"ada@example.org"' + "]" * 900
    odd = [
        f'{{"schema":"{EMAIL}","message_id":"<1@example.org>","size":"x","labels":{deep}}}',
        f'{{"schema":"{EMAIL}","message_id":{deep}}}',
        f'{{"schema":"{EMAIL}",\r"message_id":"<3@example.org>","size":"x"}}',
    ]
    bench.canonical("email-20251101.jsonl", [email(1), email(2), *odd])
    bench.pull()
    ids = {row["message_id"]: row["_id"] for row in bench.rows("SELECT message_id, _id FROM email")}
    bench.ok("purge", ids["<1@example.org>"], "--yes")
    told = (bench.store / "rejects/email-20251101.jsonl").read_bytes().split(b"\n")[:-1]
    assert [json.loads(line.partition(b',"record"')[0] + b"}")["line"] for line in told] == [4, 5]
    bench.ok("purge", "--subject", "from=person2@example.org", "--yes")
    bench.ok("verify")


def test_purge_after_repair_and_compact_leaves_nothing_either(filled: Bench) -> None:
    filled.ok("repair", "--schemas", filled.schemas)
    filled.ok("compact")
    for number in (1, 2, 3):
        filled.ok("purge", "--subject", f"subject=Appointment {number}", "--yes")
    content = all_bytes(filled)
    assert b"number1" not in content
    assert b"number2" not in content
    filled.verify()


def test_purge_does_nothing_without_confirmation(filled: Bench) -> None:
    before = filled.content()
    one = filled.registry("email")["ids"][0]
    assert filled.ok("purge", one, "--dry-run", "--format", "jsonl").rows()[0]["id"] == one
    assert filled.run("purge", one).returncode == 2  # nobody is there to ask
    assert filled.content() == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["FFFFFFFF"],
        ["--subject", "nothing"],
        ["--subject", "=x"],
        ["--subject", "nope=x"],
        ["--subject", "subject=nobody"],
        ["AAAA", "--subject", "subject=x"],
    ],
)
def test_a_wrong_purge_is_an_error(filled: Bench, arguments: list[str]) -> None:
    before = filled.content()
    ended = filled.run("purge", *arguments, "--yes")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert filled.content() == before


def test_a_purged_word_of_sqlite_s_own_schema_is_no_trace(bench: Bench) -> None:
    words = "version integer primary references content deletesecure trigger holding tokenize unicode61 diacritics"
    bench.canonical("email-20251101.jsonl", [email(1, body=f"my {words} here"), email(2)])
    bench.pull()
    identity = bench.rows("SELECT _id FROM email WHERE message_id = '<1@example.org>'")[0]["_id"]
    bench.ok("purge", identity, "--yes")
    bench.verify()
