"""Caring for a store: verify, repair, purge, compact, and databases of other versions."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from lorchestra.components.projector import cli
from lorchestra.components.projector.database import migrations
from tests.components.projector.harness import CONTACT, EMAIL, Bench, contact, email


def sql(bench: Bench, statement: str) -> None:
    """Damage the database."""
    connection = apsw.Connection(str(bench.store / "metadata.db"))
    connection.execute(statement)
    connection.close()


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def faults(bench: Bench) -> set[str]:
    ended = bench.run("verify", "--format", "jsonl")
    assert ended.returncode == 1, "no fault was found"
    assert "Traceback" not in ended.stderr
    return {row["fault"] for row in ended.rows()}


def first(bench: Bench) -> Path:
    return bench.objects()[0]


# verify


def test_a_sound_store_is_proven_and_nothing_is_written(filled: Bench) -> None:
    before = filled.content()
    assert "all 12 objects verified" in filled.ok("verify").stderr
    filled.ok("verify", "--quick")
    assert filled.content() == before


def _link_away(directory: Path) -> None:
    away = directory.parents[2].with_name("away")
    directory.rename(away)
    directory.symlink_to(away)


DAMAGE: dict[str, tuple[str, Callable[[Bench], object]]] = {
    "a byte of a record": ("broken_seal", lambda b: flip(first(b), 400)),
    "a byte of an envelope": ("broken_seal", lambda b: flip(first(b), 3)),
    "the last byte": ("broken_seal", lambda b: flip(first(b), first(b).stat().st_size - 1)),
    "an empty object": ("broken_seal", lambda b: first(b).write_bytes(b"")),
    "a missing object": ("missing_object", lambda b: first(b).unlink()),
    "an object in another's place": ("misplaced_object", lambda b: shutil.copyfile(b.objects()[1], first(b))),
    "a foreign file": ("foreign_file", lambda b: (b.store / "objects" / "notes").write_text("x")),
    "an object that no row knows": (
        "foreign_file",
        lambda b: shutil.copyfile(first(b), first(b).with_name(first(b).stem + ".r2.json")),
    ),
    "a link": ("link", lambda b: (first(b).with_name("link")).symlink_to("/etc/passwd")),
    "a file for all to read": ("not_private", lambda b: first(b).chmod(0o644)),
    "a directory for all to enter": ("not_private", lambda b: first(b).parent.chmod(0o755)),
    "a registry of another time": (
        "registry_differs",
        lambda b: (b.store / "registry/email.json").write_text('{"objects": 7}'),
    ),
    "a registry without sense": ("registry_differs", lambda b: (b.store / "registry/email.json").write_text("[")),
    "a registry that claims to hold more": (
        "registry_differs",
        lambda b: (b.store / "registry/email.json").write_text(json.dumps({**b.registry("email"), "holds": "f" * 64})),
    ),
    "a row without an object": (
        "missing_object",
        lambda b: sql(b, "UPDATE object SET revision = 5 WHERE no = (SELECT min(no) FROM object)"),
    ),
    "a digest": ("row_differs", lambda b: sql(b, "UPDATE object SET sha256 = zeroblob(32)")),
    "a size": ("row_differs", lambda b: sql(b, "UPDATE object SET bytes = bytes + 1")),
    "a moment": ("row_differs", lambda b: sql(b, "UPDATE object SET time = 5 WHERE time IS NOT NULL")),
    "a column": ("columns_differ", lambda b: sql(b, "UPDATE fields_1 SET c1 = 'other'")),
    "a missing row of columns": (
        "columns_differ",
        lambda b: sql(b, "DELETE FROM fields_1 WHERE object = (SELECT min(object) FROM fields_1)"),
    ),
    "a row of columns too many": (
        "stray_columns fields_1",
        lambda b: sql(b, "INSERT INTO fields_1 (object) VALUES (5)"),
    ),
    "a holding of nothing": (
        "stray_holding",
        lambda b: sql(b, "INSERT INTO holding (file, object, line) VALUES (1, 99, 1)"),
    ),
    "a line of a holding": ("holdings_differ", lambda b: sql(b, "UPDATE holding SET line = line + 100")),
    "a table of its own": ("foreign_definition", lambda b: sql(b, "CREATE TABLE notes (text)")),
    "a trigger of its own": (
        "foreign_definition",
        lambda b: sql(b, "CREATE TRIGGER t AFTER INSERT ON meta BEGIN SELECT 1; END"),
    ),
    "an index that is gone": ("definition_differs", lambda b: sql(b, "DROP INDEX holding_object")),
    "rules that are no JSON": ("reading_damaged", lambda b: sql(b, "UPDATE reading SET rules = '{'")),
    "a database for all to read": ("not_private", lambda b: (b.store / "metadata.db").chmod(0o644)),
    "a registry for all to read": ("not_private", lambda b: (b.store / "registry/email.json").chmod(0o640)),
    "a copy of the database": (
        "foreign_file",
        lambda b: shutil.copyfile(b.store / "metadata.db", b.store / "old.db"),
    ),
    "a registry of no type": ("foreign_file", lambda b: (b.store / "registry/zzz.json").write_text("x")),
    "a directory of its own": ("foreign_directory", lambda b: (b.store / "notes").mkdir(0o700)),
    "a directory in objects": ("foreign_directory", lambda b: (b.store / "objects" / "zz").mkdir(0o700)),
    "a linked directory": ("link", lambda b: _link_away(first(b).parent)),
    "a hard link": ("hard_link", lambda b: os.link(first(b), b.root / "elsewhere")),
    "rejects that are no rejects": (
        "rejects_damaged",
        lambda b: (b.store / "rejects" / "email-20250101.jsonl").write_text("x\n"),
    ),
    "an object that nobody holds": ("current_but_not_held", lambda b: sql(b, "DELETE FROM holding WHERE line = 1")),
    "a count": ("tally_differs", lambda b: sql(b, "UPDATE tally SET objects = objects + 1")),
    "a state": ("none_current", lambda b: sql(b, "UPDATE object SET state = 1")),
    "words that are gone": (
        "missing_words",
        lambda b: sql(b, "INSERT INTO fulltext (fulltext) VALUES ('delete-all')"),
    ),
    "words that are not the object's": (
        "words_differ",
        lambda b: sql(b, "INSERT INTO fulltext (rowid, title, body) SELECT max(no), 'more', 'words' FROM object"),
    ),
    "a tombstone without a row": (
        "unknown_tombstone",
        lambda b: first(b).with_suffix(".purged").write_text("{}"),
    ),
    "a tombstone's row without a file": (
        "missing_tombstone",
        lambda b: sql(b, "INSERT INTO tombstone VALUES (zeroblob(16), 1)"),
    ),
    "a tombstone for an object that is there": (
        "purged_object",
        lambda b: sql(b, "INSERT INTO tombstone SELECT min(id), 1 FROM object"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_every_damage_is_found(filled: Bench, damage: str) -> None:
    fault, cause = DAMAGE[damage]
    cause(filled)
    assert fault in faults(filled)


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


# repair


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
    filled.proven()
    assert answers() == before
    assert filled.registry("email")["holds"] is None
    report = filled.pull()
    assert (report["duplicates"], report["inserted"], report["retired"]) == (13, 0, 0)
    filled.proven()


def test_repair_without_the_schemas_takes_the_columns_from_the_records(filled: Bench) -> None:
    (filled.store / "metadata.db").write_bytes(b"ruined")
    filled.ok("repair", "--schemas", filled.root / "nowhere")
    assert filled.rows("SELECT subject, body FROM email WHERE subject = 'Appointment 3'") == [
        {"subject": "Appointment 3", "body": email(3)["body"]}
    ]
    filled.proven()
    filled.pull()
    filled.proven()


def test_repair_sets_broken_and_foreign_files_aside_and_pull_brings_back_what_is_missing(filled: Bench) -> None:
    broken, gone = filled.objects()[:2]
    flip(broken, 400)
    gone.unlink()
    (filled.store / "objects" / "notes").write_text("mine")
    assert "10 objects, 2 broken or foreign files moved to quarantine" in filled.ok("repair").stderr
    assert sorted(path.name for path in (filled.store / "quarantine").iterdir()) == sorted([broken.name, "notes"])
    filled.proven()
    assert filled.pull()["inserted"] == 2
    filled.proven()


def test_repair_twice_keeps_what_was_set_aside_before(filled: Bench) -> None:
    for _ in range(2):
        (filled.store / "objects" / "notes").write_text("mine")
        filled.ok("repair")
    assert len(list((filled.store / "quarantine").iterdir())) == 2


def test_repair_keeps_tombstones(filled: Bench) -> None:
    filled.ok("purge", filled.registry("email")["ids"][0], "--yes")
    filled.ok("repair")
    filled.proven()
    assert filled.pull()["purged"] == 1


# purge


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
    bench.proven()
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
    bench.proven()


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
    filled.proven()


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
    bench.proven()


def test_rejected_records_of_a_subject_go_too(bench: Bench) -> None:
    bad = email(2, size="x", **{"from": [{"address": "ada@example.org"}]})
    bench.canonical("email-20251101.jsonl", [email(1, **{"from": "ada@example.org"}), bad, email(3, size="x")])
    bench.pull()
    bench.ok("purge", "--subject", "from=ada@example.org", "--yes")
    assert b"ada@example.org" not in all_bytes(bench)
    lines = (bench.store / "rejects/email-20251101.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [3]


def test_rejected_records_of_odd_make_do_not_stop_a_purge(bench: Bench) -> None:
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
    filled.proven()


def test_purge_does_nothing_before_it_is_told_to(filled: Bench) -> None:
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
def test_a_wrong_purge_is_told(filled: Bench, arguments: list[str]) -> None:
    before = filled.content()
    ended = filled.run("purge", *arguments, "--yes")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert filled.content() == before


# compact and versions


def test_compact_gives_space_back(filled: Bench) -> None:
    filled.canonical(
        "email-20251103.jsonl", [email(n, body=f"{n} " * 900, **{"from": "x" * 900}) for n in range(40, 80)]
    )
    filled.pull()
    filled.ok("purge", "--subject", f"schema={EMAIL}", "--yes")
    connection = apsw.Connection(str(filled.store / "metadata.db"))
    assert connection.pragma("freelist_count") > 0
    connection.close()
    filled.ok("compact")
    connection = apsw.Connection(str(filled.store / "metadata.db"))
    assert connection.pragma("freelist_count") == 0
    connection.close()
    assert len(filled.objects()) == 2
    filled.proven()
    assert {path.name for path in filled.store.iterdir()} == {"lock", "metadata.db", "objects", "registry", "rejects"}


def test_an_older_database_is_copied_and_brought_forward(filled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (*migrations.scripts(), "ALTER TABLE file ADD COLUMN colour TEXT", "CREATE TABLE other (a)")
    monkeypatch.setattr(migrations, "scripts", lambda: steps)
    store = ["--store", str(filled.store)]
    with (filled.store / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cli.main(["stats", *store]) == 8
    assert cli.main(["stats", *store]) == 0
    assert cli.main(["verify", *store]) == 0
    connection = apsw.Connection(str(filled.store / "metadata.db"))
    assert connection.pragma("user_version") == len(steps)
    assert connection.execute("SELECT colour FROM file").fetchall() == [(None,)] * 3
    connection.close()
    backup = filled.store / "backups" / f"metadata-v{len(steps) - 2}.db"
    assert backup.stat().st_mode & 0o777 == 0o600
    connection = apsw.Connection(str(backup))
    assert connection.execute("SELECT count(*) FROM object").fetchone() == (12,)
    connection.close()
    assert cli.main(["purge", filled.registry("email")["ids"][0], "--yes", *store]) == 0
    assert not backup.exists()  # it held what had to go


def test_a_step_that_fails_leaves_the_database_as_it_was(filled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (*migrations.scripts(), "CREATE TABLE x (a); NO")
    monkeypatch.setattr(migrations, "scripts", lambda: steps)
    assert cli.main(["verify", "--store", str(filled.store)]) == 1
    monkeypatch.undo()
    filled.proven()


def test_a_newer_database_is_refused(filled: Bench) -> None:
    sql(filled, "PRAGMA user_version = 99")
    for verb in (["stats"], ["verify"], ["pull", "--input", str(filled.input)]):
        ended = filled.run(*verb)
        assert ended.returncode == 1
        assert "newer program" in ended.stderr


def test_a_type_without_a_schema_of_its_own_name_is_no_matter(bench: Bench) -> None:
    bench.canonical("person-20251101.jsonl", [contact(1), {"schema": CONTACT, "name": "No Key"}])
    assert bench.pull()["inserted"] == 2
    assert len(bench.rows("SELECT * FROM person")) == 2
    bench.proven()


def test_types_may_be_named_like_tables_of_the_database(bench: Bench) -> None:
    kinds = ("object", "file", "type", "field", "fulltext", "meta", "sqlite_master", "select")
    for kind in kinds:
        bench.canonical(f"{kind}-20251101.jsonl", [email(1), email(2)])
    assert bench.pull()["inserted"] == 2 * len(kinds)
    assert len(bench.rows('SELECT subject FROM "select"')) == 2
    assert len(bench.rows("SELECT subject FROM object")) == 2
    assert len(bench.rows("SELECT subject FROM _sqlite_master")) == 2
    bench.ok("purge", "--subject", "subject=Appointment 1", "--yes")
    assert bench.pull()["objects"] == len(kinds)
    bench.proven()


def test_what_queries_read_lazily_can_be_called_with_anything(filled: Bench) -> None:
    calls = ("lazy_record('../x', x'00', 1)", "lazy_record(1, 2, 3)", "lazy_property('email', NULL, 1, 'a')")
    assert filled.rows(f"SELECT {', '.join(calls)}") == [dict.fromkeys(calls)]
    ended = filled.run("query", "SELECT lazy_record('email', zeroblob(16), 1)")
    assert ended.returncode == 1
    assert "missing" in ended.stderr
