"""Canonical files enter the store: whole or not at all, once, and what changed is told."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.components.projector.harness import CONTACT, EMAIL, PROGRAM, SCHEMAS, Bench, contact, email


def counts(report: dict[str, Any], *names: str) -> list[int]:
    return [report[name] for name in names]


def test_records_become_objects_a_database_and_registries(filled: Bench) -> None:
    assert len(filled.objects()) == 12
    for path in filled.objects():
        assert re.fullmatch(
            r"([0-9A-F]{2})/([0-9A-F]{2})/(email|contact)_\1\2[0-9A-F]{28}\.json", "/".join(path.parts[-3:])
        )
    registry = filled.registry("email")
    assert registry["objects"] == 10
    assert registry["key"] == ["message_id"]
    assert registry["schemas"] == {EMAIL: 10}
    assert len(registry["ids"]) == 10
    assert (registry["first_day"], registry["last_day"]) == ("2025-11-01", "2025-11-10")


def test_the_report_says_what_the_contract_says(bench: Bench) -> None:
    bench.canonical("email-20251101.jsonl", [email(1), email(2), email(1)])
    report = bench.pull()
    assert report.pop("duration_seconds") >= 0
    assert report == {
        "files": 1, "files_unchanged": 0, "files_missing": 0, "files_pruned": 0, "records_in": 3, "inserted": 2,
        "duplicates": 1, "revised": 0, "skipped_changes": 0, "purged": 0, "retired": 0, "returned": 0, "rejected": 0,
        "rejected_by": {}, "failed": [], "objects": 2,
    }  # fmt: skip


def test_the_registry_holds_the_digest_by_which_a_caller_knows_that_all_is_up_to_date(filled: Bench) -> None:
    filled.pull()
    lines = ""
    for name in ("email-20251101.jsonl", "email-20251102.jsonl"):
        lines += f"{name} {hashlib.sha256((filled.input / name).read_bytes()).hexdigest()}\n"
    assert filled.registry("email")["holds"] == hashlib.sha256(lines.encode()).hexdigest()


def test_unchanged_input_is_not_even_opened_and_writes_nothing(
    filled: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lorchestra.components.projector import cli
    from lorchestra.components.projector.record import canonical

    filled.pull()
    before = filled.content()
    monkeypatch.setattr(canonical.CanonicalFile, "digest", None)
    monkeypatch.setattr(canonical, "read", None)
    arguments = ["--store", filled.store, "--input", filled.input, "--schemas", filled.schemas]
    assert cli.main(["pull", *map(str, arguments)]) == 0
    assert "3 files unchanged, 0 records in" in capsys.readouterr().err
    assert filled.content() == before


def test_a_touched_file_with_the_same_content_is_unchanged_too(filled: Bench) -> None:
    os.utime(filled.input / "email-20251101.jsonl", ns=(1, 1))
    report = filled.pull()
    assert counts(report, "files_unchanged", "records_in", "duplicates") == [3, 0, 0]
    assert counts(filled.pull(), "files_unchanged") == [3]


def test_a_record_that_comes_again_in_another_file_is_a_duplicate(filled: Bench) -> None:
    filled.canonical("email-20251103.jsonl", [email(1, labels=["read"]), email(99)])
    assert counts(filled.pull(), "inserted", "duplicates", "objects") == [1, 1, 13]


def test_a_change_is_a_new_revision(filled: Bench) -> None:
    filled.canonical("contact-20251102.jsonl", [contact(1, "Ada Married")])
    assert counts(filled.pull(), "inserted", "revised", "objects") == [0, 1, 12]
    (identity,) = [row["_id"] for row in filled.rows("SELECT _id FROM contact WHERE name = 'Ada Married'")]
    names = sorted(path.name for path in filled.objects() if identity in path.name)
    assert names == [f"contact_{identity}.json", f"contact_{identity}.r2.json"]
    assert filled.ok("get", identity).json()["name"] == "Ada Married"
    assert filled.ok("get", identity, "--revision", 1).json()["name"] == "Ada Sample"
    states = filled.ok("get", identity, "--history", "--format", "jsonl").rows()
    assert [(row["revision"], row["state"]) for row in states] == [(1, "former"), (2, "current")]


def test_an_older_file_that_arrives_late_does_not_replace_the_current_revision(filled: Bench) -> None:
    filled.canonical("contact-20251031.jsonl", [contact(1, "Ada Unmarried")])
    assert counts(filled.pull(), "revised") == [1]
    names = [row["name"] for row in filled.rows("SELECT name FROM contact ORDER BY name")]
    assert names == ["Ada Sample", "Bo Example"]
    filled.verify()


def test_a_content_that_returns_is_the_earlier_revision_again(filled: Bench) -> None:
    path = filled.canonical("contact-20251101.jsonl", [contact(1, "Changed"), contact(2, "Bo Example")])
    filled.pull()
    path.write_text("".join(json.dumps(record) + "\n" for record in [contact(1), contact(2, "Bo Example")]))
    report = filled.pull()
    assert counts(report, "revised", "duplicates") == [0, 2]
    assert [row["name"] for row in filled.rows("SELECT name FROM contact WHERE contact_id = 'c1'")] == ["Ada Sample"]
    filled.verify()


def test_within_a_file_the_last_line_counts_however_often_it_is_read(bench: Bench) -> None:
    bench.canonical("contact-20251101.jsonl", [contact(1, "first"), contact(1, "last")])
    assert counts(bench.pull(), "inserted", "revised") == [1, 1]
    bench.canonical("contact-20251101.jsonl", [contact(1, "first"), contact(1, "last"), contact(3)])
    assert counts(bench.pull(), "inserted", "revised", "duplicates") == [1, 0, 2]
    assert [row["name"] for row in bench.rows("SELECT name FROM contact WHERE contact_id = 'c1'")] == ["last"]


def test_a_type_may_keep_its_first_version(filled: Bench) -> None:
    config = filled.root / "config.yaml"
    config.write_text("on_change:\n  contact: skip\n")
    filled.canonical("contact-20251102.jsonl", [contact(1, "Ada Married")])
    assert counts(filled.pull("--config", config), "revised", "skipped_changes") == [0, 1]
    assert [row["name"] for row in filled.rows("SELECT name FROM contact WHERE contact_id = 'c1'")] == ["Ada Sample"]
    # The new policy is a reason to read the files again: what was skipped before becomes a revision now.
    assert counts(filled.pull(), "revised") == [1]
    filled.verify()


def test_a_record_that_no_file_holds_is_retired_until_a_file_holds_it_again(filled: Bench) -> None:
    filled.canonical("email-20251101.jsonl", map(email, range(5)))
    assert counts(filled.pull(), "retired", "objects") == [1, 11]
    assert len(filled.objects()) == 12
    assert filled.ok("list", "email", "--retired", "--format", "jsonl").rows()[0]["title"] == "Appointment 5"
    assert filled.rows("SELECT * FROM email WHERE subject = 'Appointment 5'") == []
    filled.canonical("email-20251101.jsonl", map(email, range(6)))
    assert counts(filled.pull(), "retired", "returned", "objects") == [0, 1, 12]
    filled.verify()


def test_a_record_that_moves_to_another_file_is_not_retired(filled: Bench) -> None:
    filled.canonical("email-20251101.jsonl", map(email, range(5)))
    filled.canonical("email-20251102.jsonl", map(email, range(5, 10)))
    assert counts(filled.pull(), "retired", "duplicates", "objects") == [0, 10, 12]
    filled.verify()


@pytest.mark.parametrize("what", ["purged", "rejected"])
def test_a_type_has_its_view_even_if_no_record_of_it_is_stored(bench: Bench, what: str) -> None:
    bench.canonical("email-20251101.jsonl", [email(1, size="x" if what == "rejected" else 1)])
    bench.pull()
    if what == "purged":
        bench.ok("purge", "--subject", "size=1", "--yes")
        shutil.rmtree(bench.store)
        bench.pull()
    assert bench.rows("SELECT message_id, subject, size FROM email") == []
    bench.verify()


def test_a_missing_file_is_reported_and_its_records_stay_until_they_are_pruned(filled: Bench) -> None:
    (filled.input / "email-20251102.jsonl").unlink()
    assert counts(filled.pull(), "files_missing", "objects") == [1, 12]
    assert counts(filled.pull("--prune"), "files_missing", "files_pruned", "retired", "objects") == [0, 1, 4, 8]
    assert counts(filled.pull("--prune"), "files_pruned", "retired", "objects") == [0, 0, 8]
    filled.verify()


def test_a_file_that_reappears_is_no_longer_missing(filled: Bench) -> None:
    filled.pull()
    path = filled.input / "email-20251102.jsonl"
    hidden = path.rename(filled.root / "hidden")
    before = filled.registry("email")["holds"]
    filled.pull()
    assert filled.registry("email")["holds"] != before
    hidden.rename(path)
    assert counts(filled.pull(), "files_missing", "retired", "objects") == [0, 0, 12]
    assert filled.registry("email")["holds"] == before


def test_an_invalid_record_is_rejected_with_its_reason_and_the_rest_is_stored(bench: Bench) -> None:
    bench.canonical(
        "email-20251101.jsonl",
        [email(1), {"schema": EMAIL}, email(2, size="big"), {"message_id": "x"}, email(3, to=[{"email": 7}])],
    )
    report = bench.pull()
    assert counts(report, "records_in", "inserted", "rejected") == [5, 1, 4]
    assert report["rejected_by"] == {"index:required": 1, "index:schema_absent": 1, "index:type": 2}
    lines = [json.loads(line) for line in (bench.store / "rejects/email-20251101.jsonl").read_text().splitlines()]
    assert [(line["input"], line["line"], line["stage"], line["rule"], line["schema_path"]) for line in lines] == [
        ("email-20251101.jsonl", 2, "index", "required", "/required"),
        ("email-20251101.jsonl", 3, "index", "type", "/properties/size/type"),
        ("email-20251101.jsonl", 4, "index", "schema_absent", "/properties/schema"),
        ("email-20251101.jsonl", 5, "index", "type", "/properties/to/items/properties/email/type"),
    ]
    assert lines[1]["record"] == email(2, size="big")


def test_rejects_are_removed_when_the_file_or_its_schema_is_fixed(bench: Bench) -> None:
    bench.canonical("email-20251101.jsonl", [email(1, size="big")])
    assert counts(bench.pull(), "rejected", "objects") == [1, 0]
    properties = SCHEMAS[EMAIL]["properties"] | {"size": {}}
    bench.schema(EMAIL, SCHEMAS[EMAIL] | {"properties": properties})
    assert counts(bench.pull(), "rejected", "inserted") == [0, 1]
    assert list((bench.store / "rejects").iterdir()) == []
    bench.verify()


@pytest.mark.parametrize(
    "line", ["{not json", '"text"', "[1]", "7", "null", '{"a": NaN}', '{"a": "\\ud800"}', '{"a":1}{"b":2}', "\ufeff{}"]
)
def test_a_line_that_is_no_json_object_stops_its_file_and_no_other(bench: Bench, line: str) -> None:
    bench.canonical("email-20251101.jsonl", [email(1), line, email(2)])
    bench.canonical("email-20251102.jsonl", [email(3)])
    ended, report = bench.try_pull()
    assert ended.returncode == 3
    assert "email-20251101.jsonl: line 2 is not a JSON object" in ended.stderr
    assert counts(report, "inserted", "objects") == [1, 1]
    assert report["failed"][0]["file"] == "email-20251101.jsonl"
    assert report["failed"][0]["code"] == "not_jsonl"
    assert bench.registry("email")["holds"] is None
    bench.verify()


def test_a_file_that_turns_bad_leaves_what_it_held_before(filled: Bench) -> None:
    filled.canonical("email-20251101.jsonl", [email(100), "{", email(101)])
    ended, report = filled.try_pull()
    assert ended.returncode == 3
    assert report["objects"] == 12
    assert len(filled.rows("SELECT 1 FROM email WHERE subject LIKE 'Appointment%'")) == 10
    filled.verify()


def test_a_file_that_turns_bad_keeps_its_former_rejects(bench: Bench) -> None:
    bench.canonical("email-20251101.jsonl", [email(1, size="x"), email(2)])
    bench.canonical("email-20251102.jsonl", [email(3)])
    bench.pull()
    before = (bench.store / "rejects/email-20251101.jsonl").read_text()
    bench.canonical("email-20251102.jsonl", [email(4)])
    broken: list[list[dict[str, Any] | str]] = [[email(1), "{"], [email(5, size="y"), "{"]]
    for lines in broken:
        bench.canonical("email-20251101.jsonl", lines)
        assert bench.try_pull()[0].returncode == 3
        assert (bench.store / "rejects/email-20251101.jsonl").read_text() == before
    assert [path.name for path in (bench.store / "rejects").iterdir()] == ["email-20251101.jsonl"]


def test_a_big_file_that_turns_bad_at_its_end_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is written in chunks is still all or nothing."""
    from lorchestra.components.projector import cli
    from lorchestra.components.projector.ingest import pull

    monkeypatch.setattr(pull, "CHUNK_RECORDS", 10)
    bench.canonical("contact-20251101.jsonl", [*map(contact, range(35)), "{"])
    arguments = ["pull", "--store", bench.store, "--input", bench.input, "--schemas", bench.schemas]
    assert cli.main(list(map(str, arguments))) == 3
    assert bench.objects() == []
    assert not (bench.store / "journal").exists()
    bench.canonical("contact-20251101.jsonl", [*map(contact, range(35))])
    assert cli.main(list(map(str, arguments))) == 0
    assert len(bench.objects()) == 35
    bench.verify()


def test_a_schema_that_is_not_there_is_a_failure_of_the_registry(bench: Bench) -> None:
    bench.canonical("email-20251101.jsonl", [email(1), email(2, schema="iglu:org.example/email/jsonschema/9-0-0")])
    ended, report = bench.try_pull()
    assert ended.returncode == 4
    assert report["failed"][0]["code"] == "schema_missing"
    assert "line 2" in report["failed"][0]["what"]
    assert "9-0-0" not in ended.stderr + json.dumps(report)  # the name comes from a record


@pytest.mark.parametrize(
    "document",
    [
        {"type": "nothing"},
        {"$ref": "https://127.0.0.1:1/x"},
        {"$ref": "file:///etc/hostname"},
        {"x-key": "message_id"},
        {"x-time": ["date"]},
        {"x-text": [""]},
        [],
    ],
)
def test_a_schema_that_is_not_valid_is_one_too(bench: Bench, document: Any) -> None:
    bench.schema(EMAIL, document)
    bench.canonical("email-20251101.jsonl", [email(1)])
    ended, _ = bench.try_pull()
    assert ended.returncode == 4
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("reference", ["iglu:org.example/name/jsonschema/1-0-0", "../../name/jsonschema/1-0-0.json"])
def test_a_schema_may_refer_to_another_of_the_registry(bench: Bench, reference: str) -> None:
    bench.schema("iglu:org.example/name/jsonschema/1-0-0", {"type": "string", "maxLength": 5})
    properties = {"name": {"$ref": reference}}
    bench.schema(CONTACT, {"properties": properties, "x-key": ["contact_id"]})
    bench.canonical("contact-20251101.jsonl", [contact(1, "short"), contact(2, "too long")])
    assert counts(bench.pull(), "inserted", "rejected") == [1, 1]


def test_only_some_types_or_some_files(bench: Bench) -> None:
    for day in (1, 2):
        bench.canonical(f"email-2025110{day}.jsonl", [email(day)])
        bench.canonical(f"contact-2025110{day}.jsonl", [contact(day)])
    assert counts(bench.pull("email-20251102.jsonl"), "files", "inserted") == [1, 1]
    assert counts(bench.pull("--type", "contact"), "files", "inserted", "files_missing") == [2, 2, 0]
    assert counts(bench.pull(bench.input / "email-20251101.jsonl"), "files", "inserted") == [1, 1]
    assert counts(bench.pull(), "files", "files_unchanged") == [4, 4]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["/etc/email-20251101.jsonl"], 2),
        (["../email-20251101.jsonl"], 2),
        (["email.jsonl"], 2),
        (["email-20251101.jsonl"], 2),
        (["--type", "../x"], 2),
        (["--schemas", "/nowhere"], 2),
        (["--prune", "email-20251101.jsonl"], 2),
        (["--no-such-flag"], 2),
    ],
)
def test_a_wrong_argument_is_an_error_and_creates_nothing(bench: Bench, arguments: list[str], status: int) -> None:
    ended, _ = bench.try_pull(*arguments)
    assert ended.returncode == status
    assert ended.stderr.strip()
    assert "Traceback" not in ended.stderr
    assert not bench.store.exists()


def test_files_of_other_names_are_not_looked_at(bench: Bench) -> None:
    for name in ("Email-20251101.jsonl", "email-20251301.jsonl", ".email-20251101.jsonl.1.tmp~", "notes.txt"):
        (bench.input / name).write_text("{")
    (bench.input / "lineage").mkdir()
    assert counts(bench.pull(), "files") == [0]


def test_an_empty_directory_and_an_empty_file(bench: Bench) -> None:
    assert counts(bench.pull(), "files", "objects") == [0, 0]
    bench.canonical("email-20251101.jsonl", [])
    assert counts(bench.pull(), "files", "records_in") == [1, 0]
    assert bench.registry("email")["holds"] is not None
    bench.verify()


def test_a_missing_input_directory(bench: Bench) -> None:
    bench.input.rmdir()
    ended, _ = bench.try_pull()
    assert ended.returncode == 2
    assert "no such file" in ended.stderr


def test_a_second_pull_is_busy_or_waits(filled: Bench) -> None:
    with (filled.store / "lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ended, _ = filled.try_pull()
        assert ended.returncode == 8
        assert filled.ok("stats").stdout  # readers do not care
    filled.pull("--wait")


def test_everything_is_private_from_birth(bench: Bench) -> None:
    bench.canonical("email-20251101.jsonl", [email(1), {"schema": EMAIL}])
    before = os.umask(0)
    try:
        bench.pull()
    finally:
        os.umask(before)
    for path in [bench.store, *bench.store.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert (bench.root / "report.json").stat().st_mode & 0o777 == 0o600


def test_a_store_that_others_may_enter_is_refused(filled: Bench) -> None:
    filled.store.chmod(0o750)
    for verb in (["pull", "--input", filled.input], ["stats"], ["verify"]):
        ended = filled.run(str(verb[0]), *verb[1:])
        assert ended.returncode == 5
        assert f"chmod 700 {filled.store}" in ended.stderr


def test_a_newer_schema_version_brings_its_columns_and_old_objects_keep_theirs(filled: Bench) -> None:
    newer = EMAIL.replace("1-0-0", "1-0-1")
    properties = SCHEMAS[EMAIL]["properties"] | {"thread": {"type": "string"}}
    filled.schema(newer, SCHEMAS[EMAIL] | {"properties": properties})
    filled.canonical("email-20251103.jsonl", [email(50, schema=newer, thread="t1"), email(1, schema=newer)])
    report = filled.pull()
    assert counts(report, "inserted", "duplicates", "revised") == [1, 1, 0]  # a newer schema alone is no change
    rows = filled.rows("SELECT _schema, thread FROM email ORDER BY thread IS NULL, _id LIMIT 2")
    assert rows == [{"_schema": newer, "thread": "t1"}, {"_schema": EMAIL, "thread": None}]
    assert filled.registry("email")["schemas"] == {EMAIL: 10, newer: 1}
    filled.verify()


def test_a_new_key_renames_the_objects_and_retires_the_old_ones(filled: Bench) -> None:
    filled.schema(CONTACT, SCHEMAS[CONTACT] | {"x-key": ["name"]})
    assert counts(filled.pull(), "inserted", "retired", "objects") == [2, 2, 12]
    filled.verify()


def test_odd_but_valid_records_are_kept_as_they_came(bench: Bench) -> None:
    lines = [
        json.dumps(email(1, body="\x00\x1b[31m\u2028 \U0001f600")),
        json.dumps(email(2, size=2**63), ensure_ascii=False),
        json.dumps(email(3, date="yesterday")),
        json.dumps(email(4, date="0001-01-01T00:00:00+14:00")),
        json.dumps(email(5, date="9999-12-31T23:59:59-14:00")),
        '{"schema":"' + EMAIL + '",   "message_id":"6", "n":1e400000000}'.replace("1e400000000", "1.50"),
        json.dumps(email(7, extra={"a" * 500: [[[]]]})),
        json.dumps(email(8, deep=json.loads("[" * 200 + "]" * 200))),
    ]
    bench.canonical("email-20251101.jsonl", lines)
    assert counts(bench.pull(), "inserted", "rejected") == [8, 0]
    kept = sorted(bench.ok("export", "--output", "-").stdout.split("\n"))
    assert kept == sorted([*lines, ""])
    bench.verify()


def test_a_record_that_is_nested_too_deeply_is_rejected(bench: Bench) -> None:
    deep = "[" * 600 + "]" * 600
    line = json.dumps(email(1)).removesuffix("}") + f', "deep": {deep}}}'
    bench.canonical("email-20251101.jsonl", [line, email(2)])
    assert bench.pull()["rejected_by"] == {"index:too_deep": 1}


def test_a_file_that_grows_while_it_is_read_is_tried_later(bench: Bench) -> None:
    """The reader compares what it read with how the file looked at first."""
    from lorchestra.base.errors import Code, Failure
    from lorchestra.components.projector.record import canonical
    from lorchestra.components.projector.record.validators import Validators
    from lorchestra.records import iglu

    path = bench.canonical("email-20251101.jsonl", [email(1), email(2)])
    lines = canonical.read(canonical.source(path), Validators(iglu.SchemaRegistry(bench.schemas)))
    next(lines)
    with path.open("a") as file:
        file.write("{}\n")
    with pytest.raises(Failure) as caught:
        list(lines)
    assert caught.value.code is Code.INPUT_CHANGED


def test_what_cannot_be_read_stops_no_other_file_and_is_not_pruned(filled: Bench) -> None:
    path = filled.input / "email-20251102.jsonl"
    path.unlink()
    os.mkfifo(path)
    filled.canonical("email-20251103.jsonl", [email(50)])
    ended, report = filled.try_pull("--prune")
    assert ended.returncode == 5
    assert "not a regular file" in ended.stderr
    assert counts(report, "inserted", "retired", "files_missing", "files_pruned") == [1, 0, 0, 0]
    assert filled.registry("email")["holds"] is None


def test_many_failures_are_printed_in_a_few_lines_and_all_are_in_the_report(bench: Bench) -> None:
    for day in range(1, 12):
        bench.canonical(f"email-202511{day:02d}.jsonl", ["{"])
    ended, report = bench.try_pull()
    assert len(ended.stderr.splitlines()) < 15
    assert "6 more files failed" in ended.stderr
    assert len(report["failed"]) == 11


def test_an_interrupted_pull_ends_with_130_and_loses_nothing(bench: Bench) -> None:
    bench.canonical("contact-20251101.jsonl", map(contact, range(30_000)))
    command = [
        str(PROGRAM),
        "pull",
        *map(str, ("--store", bench.store, "--input", bench.input, "--schemas", bench.schemas)),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        while not (bench.store / "journal").exists():
            assert child.poll() is None
            time.sleep(0.005)
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate()
    assert child.returncode == 130
    assert "interrupted" in stderr
    assert bench.objects() == []
    bench.verify()


def test_a_lost_database_is_not_replaced_by_a_new_one(filled: Bench) -> None:
    (filled.store / "metadata.db").unlink()
    ended, _ = filled.try_pull()
    assert ended.returncode == 1
    assert "repair" in ended.stderr


def test_a_file_that_is_no_database_is_an_error(filled: Bench) -> None:
    (filled.store / "metadata.db").write_bytes(b"x" * 5000)
    for verb in (["pull", "--input", str(filled.input)], ["stats"], ["verify"]):
        ended = filled.run(*verb)
        assert ended.returncode == 1
        assert "metadata.db: not a database" in ended.stderr


def test_a_report_that_cannot_be_written_is_an_error(filled: Bench, tmp_path: Path) -> None:
    ended = filled.run("pull", "--input", filled.input, "--report", tmp_path / "no" / "report.json")
    assert ended.returncode == 2


def test_a_type_needs_no_schema_of_its_own_name(bench: Bench) -> None:
    bench.canonical("person-20251101.jsonl", [contact(1), {"schema": CONTACT, "name": "No Key"}])
    assert bench.pull()["inserted"] == 2
    assert len(bench.rows("SELECT * FROM person")) == 2
    bench.verify()


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
    bench.verify()


def test_progress_goes_to_a_descriptor(filled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from lorchestra.components.projector import cli
    from lorchestra.components.projector.commands import pull

    monkeypatch.setattr(pull, "_PROGRESS_SECONDS", 0)
    reader, writer = os.pipe()
    arguments = ["--store", filled.store.with_name("other"), "--input", filled.input, "--schemas", filled.schemas]
    assert cli.main(["pull", *map(str, arguments), f"--progress-fd={writer}"]) == 0
    os.close(writer)
    with os.fdopen(reader) as lines:
        counts = [json.loads(line) for line in lines]
    assert [count["records_in"] for count in counts] == list(range(1, len(counts) + 1))
    assert counts


def test_records_of_an_array_schema_are_stored_one_by_one(bench: Bench) -> None:
    part = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    uri = "iglu:org.x/part/jsonschema/1-0-0"
    bench.schema(uri, {"type": "array", "minItems": 2, "items": part, "x-key": ["id"]})
    bench.canonical("part-20251101.jsonl", [{"id": "a", "schema": uri}, {"id": 5, "schema": uri}])
    report = bench.pull()
    assert counts(report, "inserted", "rejected") == [1, 1]
    assert bench.registry("part")["key"] == ["id"]
