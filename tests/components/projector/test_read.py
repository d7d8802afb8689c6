"""Looking at a store: get, list, stats, search, query, export."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
from typing import Any

import pytest

from tests.components.projector.harness import EMAIL, PROGRAM, Bench, contact, email

EVIL = "\x1b]0;owned\x07\x1b[2J\u202etxt.exe\x9b31m"


def identity(bench: Bench, subject: str) -> str:
    (row,) = bench.rows(f"SELECT _id FROM email WHERE subject = '{subject}'")
    return str(row["_id"])


def on_terminal(bench: Bench, *arguments: str) -> bytes:
    """What a terminal would receive."""
    master, slave = pty.openpty()
    command = [str(PROGRAM), *arguments, "--store", str(bench.store)]
    with subprocess.Popen(command, stdout=slave, stderr=slave, stdin=subprocess.DEVNULL) as child:
        os.close(slave)
        seen = b""
        while True:
            try:
                block = os.read(master, 65536)
            except OSError:
                break
            if not block:
                break
            seen += block
        assert child.wait() == 0, seen
    os.close(master)
    return seen


# get


def test_get_shows_the_record_by_its_id_or_the_first_digits_of_it(filled: Bench) -> None:
    full = identity(filled, "Appointment 3")
    assert filled.ok("get", full).json() == email(3)
    assert filled.ok("get", full[:12].lower()).json() == email(3)


def test_get_raw_is_the_line_as_it_came(bench: Bench) -> None:
    line = '{ "message_id" : "1",  "schema":"' + EMAIL + '", "n": 1.0 }'
    bench.canonical("email-20251101.jsonl", [line])
    bench.pull()
    (row,) = bench.rows("SELECT _id FROM email")
    assert bench.ok("get", row["_id"], "--raw").stdout == line + "\n"
    envelope = bench.ok("get", row["_id"], "--envelope").json()
    assert (envelope["file"], envelope["line"], envelope["revision"]) == ("email-20251101.jsonl", 1, 1)


@pytest.mark.parametrize("text", ["", "abc", "xyz0", "../../etc/passwd", "0" * 33, "AAAA'; DROP TABLE object"])
def test_an_invalid_id_is_an_error(filled: Bench, text: str) -> None:
    ended = filled.run("get", text)
    assert ended.returncode == 2
    assert "hexadecimal" in ended.stderr


def test_an_id_that_is_not_there_and_one_that_is_not_enough(filled: Bench) -> None:
    assert filled.run("get", "F" * 32).returncode == 2
    full = identity(filled, "Appointment 3")
    assert "has no revision 2" in filled.run("get", full, "--revision", 2).stderr


def test_origin_goes_through_the_lineage_to_the_raw_line(filled: Bench) -> None:
    import hashlib

    filled.pull()
    full = identity(filled, "Appointment 3")
    (place,) = filled.ok("get", full, "--origin", "--format", "jsonl").rows()
    assert (place["canonical_file"], place["canonical_line"]) == ("email-20251101.jsonl", 4)
    assert (place["id"], place["state"], place["raw_file"]) == (full, "current", None)
    assert filled.ok("get", "email-20251101.jsonl:4", "--origin", "--format", "jsonl").rows() == [place]
    assert "no object from this line" in filled.run("get", "email-20251101.jsonl:99", "--origin").stderr
    path = filled.input / "email-20251101.jsonl"
    lineage = {
        "format": "lorchestra.lineage/1",
        "output": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "inputs": [
            {"name": "gmail-messages-a-20251101.jsonl", "lines": [[1, 1, 2]]},
            {"name": "gmail-messages-b-20251101.jsonl", "lines": [[3, 8, 1], [4, 17, 3]]},
        ],
    }
    (filled.input / "lineage").mkdir()
    (filled.input / "lineage" / "email-20251101.json").write_text(json.dumps(lineage))
    (place,) = filled.ok("get", full, "--origin", "--format", "jsonl").rows()
    assert (place["raw_file"], place["raw_line"]) == ("gmail-messages-b-20251101.jsonl", 17)
    path.write_text(path.read_text() + "\n")
    lineage["output"] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (filled.input / "lineage" / "email-20251101.json").write_text(json.dumps(lineage))
    (place,) = filled.ok("get", full, "--origin", "--format", "jsonl", "--input", filled.input).rows()
    assert place["raw_file"] is None  # the lineage is of another content than what was pulled


# list and stats


def test_list_is_newest_first(filled: Bench) -> None:
    rows = filled.ok("list", "email", "--format", "jsonl", "--limit", "3").rows()
    assert [row["title"] for row in rows] == ["Appointment 9", "Appointment 8", "Appointment 7"]
    assert rows[0]["time"] == "2025-11-10T10:09:00Z"


def test_list_of_a_span_of_days_is_inclusive(filled: Bench) -> None:
    rows = filled.ok("list", "email", "--since", "2025-11-03", "--until", "20251105", "--format", "jsonl").rows()
    assert [row["time"][:10] for row in rows] == ["2025-11-05", "2025-11-04", "2025-11-03"]


def test_what_has_no_moment_belongs_to_the_day_of_its_file(filled: Bench) -> None:
    assert (
        len(filled.ok("list", "contact", "--since", "2025-11-01", "--until", "2025-11-01", "--format", "jsonl").rows())
        == 2
    )
    assert filled.ok("list", "contact", "--since", "2025-11-02", "--format", "jsonl").rows() == []


def test_list_all_is_the_full_listing(filled: Bench) -> None:
    rows = filled.ok("list", "email", "--limit", "all", "--format", "jsonl").rows()
    assert sorted(row["id"] for row in rows) == filled.registry("email")["ids"]


@pytest.mark.parametrize("arguments", [["nope"], ["email", "--limit", "0"], ["email", "--since", "soon"], []])
def test_a_wrong_list_is_an_error(filled: Bench, arguments: list[str]) -> None:
    ended = filled.run("list", *arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_stats_count_what_is_there(filled: Bench) -> None:
    rows = {row["type"]: row for row in filled.ok("stats", "--format", "jsonl").rows()}
    assert rows["email"]["objects"] == 10
    assert rows["email"]["bytes"] == sum(p.stat().st_size for p in filled.objects() if p.name.startswith("email"))
    assert rows["contact"]["files"] == 1
    assert "email" in filled.ok("stats").stdout


# search


def found(bench: Bench, *arguments: object) -> list[str]:
    return [row["title"] for row in bench.ok("search", *arguments, "--format", "jsonl").rows()]


def test_search_finds_all_words_newest_first(filled: Bench) -> None:
    assert found(filled, "appointment", "tuesday", "--limit", 2) == ["Appointment 9", "Appointment 8"]
    assert found(filled, "number4") == ["Appointment 4"]
    assert found(filled, "number4 number5") == []
    assert found(filled, "Ada") == ["Ada Sample"]


def test_phrases_beginnings_and_exclusions(filled: Bench) -> None:
    assert found(filled, '"on Tuesday"', "number3") == ["Appointment 3"]
    assert found(filled, '"Tuesday on"') == []
    assert len(found(filled, "appoint*")) == 10
    assert len(found(filled, "appointment -number3")) == 9


def test_types_and_days_narrow_a_search(filled: Bench) -> None:
    assert found(filled, "appointment", "--type", "contact") == []
    assert found(filled, "appointment", "--type", "email", "--from", "2025-11-09") == ["Appointment 9", "Appointment 8"]
    assert found(filled, "appointment", "--to", "2025-11-01") == ["Appointment 0"]


def test_ranked_search_prefers_the_title(bench: Bench) -> None:
    bench.canonical(
        "email-20251101.jsonl",
        [email(5, subject="other", body="insulin " + "word " * 50), email(1, subject="insulin", body="short")],
    )
    bench.pull()
    assert found(bench, "insulin", "--rank") == ["insulin", "other"]
    assert found(bench, "insulin") == ["other", "insulin"]


def test_a_snippet_shows_the_words_in_their_place(filled: Bench) -> None:
    (row,) = filled.ok("search", "number4", "--format", "jsonl").rows()
    assert row["snippet"] == "Please confirm the appointment [number4] on Tuesday."


@pytest.mark.parametrize(
    "words",
    ["AND", "NEAR(", 'a"b', "a AND", "(", "title:x", "x'y", "*", "^", "- -", "a:b:c", "\\", "%", "{x}", "né", "日本"],
)
def test_no_sign_in_a_search_has_a_meaning_of_its_own(filled: Bench, words: str) -> None:
    ended = filled.run("search", "--", words)
    assert ended.returncode in (0, 2)
    assert "Traceback" not in ended.stderr
    assert "unexpected" not in ended.stderr


def test_raw_syntax_is_for_those_who_ask(filled: Bench) -> None:
    assert found(filled, "--raw", "title: appointment AND body: number2") == ["Appointment 2"]
    for wrong in ("AND", 'body: "', "nope: x", "NEAR("):
        ended = filled.run("search", "--raw", wrong)
        assert ended.returncode == 2
        assert "does not accept this query" in ended.stderr


def test_words_may_come_from_stdin_and_stay_out_of_the_list_of_processes(filled: Bench) -> None:
    ended = filled.ok("search", "-", "--format", "jsonl", stdin="number4\n")
    assert len(ended.rows()) == 1


def test_diacritics_and_case_do_not_count(bench: Bench) -> None:
    bench.canonical("contact-20251101.jsonl", [contact(1, "Zoë Überall")])
    bench.pull()
    assert found(bench, "zoe", "UBERALL") == ["Zoë Überall"]


def test_former_and_retired_records_are_found_only_with_all(filled: Bench) -> None:
    filled.canonical("contact-20251101.jsonl", [contact(1, "Ada Married")])
    filled.pull()
    assert found(filled, "sample") == []
    assert found(filled, "example") == []
    assert found(filled, "sample", "--all") == ["Ada Sample"]


def test_without_full_text_nothing_is_found_and_everything_else_works(bench: Bench) -> None:
    config = bench.root / "config.yaml"
    config.write_text("full_text: false\n")
    bench.canonical("email-20251101.jsonl", [email(1)])
    bench.pull("--config", config)
    assert found(bench, "appointment") == []
    bench.verify()
    bench.ok("purge", bench.registry("email")["ids"][0], "--yes")
    bench.verify()


# query


def test_query_has_a_column_for_each_property(filled: Bench) -> None:
    row = filled.rows("SELECT * FROM email WHERE subject = 'Appointment 3'")[0]
    assert {name: row[name] for name in ("message_id", "subject", "body", "date", "from")} == {
        name: email(3)[name] for name in ("message_id", "subject", "body", "date", "from")
    }
    assert (row["_file"], row["_line"], row["_state"], row["_revision"]) == ("email-20251101.jsonl", 4, "current", 1)
    assert json.loads(row["_record"]) == email(3)
    views = filled.ok("query", "--views", "--format", "jsonl").rows()
    assert {view["view"] for view in views} == {"email", "email_history", "contact", "contact_history"}


def test_query_joins_with_the_full_text(filled: Bench) -> None:
    sql = "SELECT subject FROM email WHERE _no IN (SELECT rowid FROM fulltext('number7'))"
    assert filled.rows(sql) == [{"subject": "Appointment 7"}]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM object",
        "INSERT INTO meta VALUES (1, 2)",
        "DROP VIEW email",
        "ATTACH '/etc/passwd' AS x",
        "PRAGMA journal_mode = delete",
        "VACUUM INTO '/tmp/x'",
        "CREATE TABLE x (y)",
        "SELECT 1; DELETE FROM object",
        "SELECT 1; SELECT 2",
        "SELECT load_extension('x')",
        "SELEC",
        "SELECT nope FROM email",
        "",
        "-- nothing",
        "SELECT json_extract(_record, body) FROM email",
        "SELECT abs(-9223372036854775808)",
        "SELECT zeroblob(1000000000)",
        "SELECT \x00",
    ],
)
def test_nothing_but_a_select_and_no_fault_is_a_crash(filled: Bench, sql: str) -> None:
    before = filled.content()
    ended = filled.run("query", "-", stdin=sql)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "unexpected" not in ended.stderr
    assert "confirm" not in ended.stderr  # a word of the bodies
    assert filled.content() == before


def test_a_query_has_a_time_limit(filled: Bench) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    ended = filled.run("query", endless, "--seconds", "0.3")
    assert ended.returncode == 75
    assert "more than 0.3 seconds" in ended.stderr


def test_names_that_differ_in_case_or_need_quotes_are_columns_all_the_same(bench: Bench) -> None:
    from tests.components.projector.harness import SCHEMAS

    names = ["From", 'a "b"', "_id", "c'd", "x;--", "select", "é", ""]
    properties = SCHEMAS[EMAIL]["properties"] | {name: {} for name in names}
    bench.schema(EMAIL, SCHEMAS[EMAIL] | {"properties": properties, "x-text": ["subject", "c'd"]})
    bench.canonical("email-20251101.jsonl", [email(1, **{name: f"value of {name}" for name in names})])
    bench.pull()
    (row,) = bench.rows("SELECT * FROM email")
    assert row["from"] == "person1@example.org"
    assert row["From_2"] == "value of From"
    assert row["_id_2"] == "value of _id"
    assert row["c'd"] == "value of c'd"
    assert row['a "b"'] == 'value of a "b"'
    bench.verify()


# output


def test_the_same_rows_in_every_format(filled: Bench) -> None:
    sql = "SELECT subject, body, 7 AS n, NULL AS none, x'AB' AS b FROM email WHERE subject = 'Appointment 3'"
    expected = {"subject": "Appointment 3", "body": email(3)["body"], "n": 7, "none": None, "b": "AB"}
    assert filled.ok("query", sql, "--format", "json").json() == [expected]
    assert filled.ok("query", sql, "--format", "jsonl").rows() == [expected]
    (row,) = csv.DictReader(io.StringIO(filled.ok("query", sql, "--format", "csv").stdout))
    assert row == {key: "" if value is None else str(value) for key, value in expected.items()}
    table = filled.ok("query", sql).stdout.splitlines()
    assert table[0].split() == list(expected)
    assert len(table) == 2
    assert filled.ok("query", "SELECT 1 WHERE 0", "--format", "json").json() == []


def test_control_characters_of_a_record_never_reach_a_terminal(bench: Bench) -> None:
    bench.canonical("email-20251101.jsonl", [email(1, subject=EVIL, body=f"needle {EVIL}\n\r", **{"from": EVIL})])
    bench.pull()
    (row,) = bench.rows("SELECT _id FROM email")
    commands: list[list[str]] = [
        ["search", "needle"],
        ["list", "email"],
        ["get", row["_id"]],
        ["get", row["_id"], "--raw"],
    ]
    commands += [["get", row["_id"], "--envelope"], ["export", "--output", "-"]]
    for form in ("table", "json", "jsonl", "csv"):
        commands += [["search", "needle", "--format", form], ["query", "SELECT * FROM email", "--format", form]]
    for command in commands:
        seen = on_terminal(bench, *command).replace(b"\r\n", b"\n").decode()
        bad: list[Any] = [c for c in seen if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]
        assert bad == [], command


def test_escaped_json_is_still_the_same_value(bench: Bench) -> None:
    bench.canonical("email-20251101.jsonl", [email(1, subject=EVIL)])
    bench.pull()
    (row,) = bench.rows("SELECT _id, subject FROM email")
    assert row["subject"] == EVIL
    assert bench.ok("get", row["_id"]).json()["subject"] == EVIL


def test_output_is_utf8_in_any_locale(bench: Bench) -> None:
    bench.canonical("contact-20251101.jsonl", [contact(1, "Zoë 日本")])
    bench.pull()
    ended = bench.run("list", "contact", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert ended.returncode == 0
    assert "Zoë 日本" in ended.stdout


def test_a_reader_that_has_seen_enough_is_no_failure(filled: Bench) -> None:
    command = (
        f"{PROGRAM} list email --store {filled.store} --format jsonl --limit all | head -1; echo ${{PIPESTATUS[0]}}"
    )
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines()[1] == "0"
    assert ended.stderr == ""


def test_there_is_no_store_yet(bench: Bench) -> None:
    for verb in (["stats"], ["get", "AAAA"], ["list", "email"], ["search", "x"], ["query", "SELECT 1"], ["verify"]):
        ended = bench.run(*verb)
        assert ended.returncode == 2
        assert "contains no store" in ended.stderr
    assert not bench.store.exists()


# export


def test_an_export_can_be_pulled_again(filled: Bench) -> None:
    out = filled.root / "out"
    filled.ok("export", "--output", out)
    assert out.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}
    other = Bench(filled.root / "other")
    other.input = out
    assert other.pull()["inserted"] == 12
    assert sorted(p.name for p in other.objects()) == sorted(p.name for p in filled.objects())


def test_an_export_into_an_open_directory_is_refused(filled: Bench) -> None:
    out = filled.root / "out"
    out.mkdir()
    out.chmod(0o755)
    ended = filled.run("export", "--output", out)
    assert ended.returncode == 5
    assert f"Run: chmod 700 {out}" in ended.stderr
    assert list(out.iterdir()) == []


def test_an_export_of_a_type_and_a_span(filled: Bench) -> None:
    ended = filled.ok("export", "--output", "-", "--type", "email", "--since", "2025-11-09")
    assert [row["subject"] for row in ended.rows()] == ["Appointment 8", "Appointment 9"]


def test_an_export_does_not_mix_with_what_is_there(filled: Bench) -> None:
    ended = filled.run("export", "--output", filled.input)
    assert ended.returncode == 2
    assert "not empty" in ended.stderr


def test_readers_see_the_state_before_or_after_while_somebody_writes(filled: Bench) -> None:
    import apsw

    writer = apsw.Connection(str(filled.store / "metadata.db"))
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE object SET state = 2")
    assert len(filled.ok("list", "email", "--format", "jsonl").rows()) == 10
    writer.execute("ROLLBACK")
    writer.close()


def test_what_queries_read_lazily_can_be_called_with_anything(filled: Bench) -> None:
    calls = ("lazy_record('../x', x'00', 1)", "lazy_record(1, 2, 3)", "lazy_property('email', NULL, 1, 'a')")
    assert filled.rows(f"SELECT {', '.join(calls)}") == [dict.fromkeys(calls)]
    ended = filled.run("query", "SELECT lazy_record('email', zeroblob(16), 1)")
    assert ended.returncode == 1
    assert "missing" in ended.stderr
