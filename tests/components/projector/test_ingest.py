"""Records of a stream enter the store in batches, over real pipes."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.components.projector.harness import PROGRAM, ROOT, Bench, Ended, contact, email, run_here

REGISTRY = ROOT / "transforms"


def lines(records: Iterable[Mapping[str, Any] | str]) -> str:
    return "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in records)


def ingest(bench: Bench, records: Iterable[Mapping[str, Any] | str], *options: object) -> Ended:
    return bench.run("ingest", "--streaming", "--schemas", bench.schemas, *options, stdin=lines(records))


def committed(bench: Bench, records: Iterable[Mapping[str, Any] | str], *options: object) -> list[Any]:
    ended = ingest(bench, records, *options)
    assert ended.returncode == 0, ended.stderr
    bench.verify()
    return ended.rows()


def subjects(bench: Bench) -> list[str]:
    return [row["subject"] for row in bench.rows("SELECT subject FROM email ORDER BY message_id")]


def start(bench: Bench, *options: object) -> subprocess.Popen[str]:
    command = [PROGRAM, "ingest", "--store", bench.store, "--schemas", bench.schemas, "--streaming", *options]
    return subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_each_batch_is_reported_and_has_name_sequence_and_digest(bench: Bench) -> None:
    reports = committed(bench, map(email, range(5)), "--batch", 2, "--seconds", 600)
    assert [report["inserted"] for report in reports] == [2, 2, 1]
    assert [report["sequence"] for report in reports] == [1, 2, 3]
    assert reports[2]["sha256"] == hashlib.sha256(lines([email(4)]).encode()).hexdigest()
    assert reports[2]["batch"].startswith("email.0000000003-")
    assert committed(bench, [email(9)])[0]["sequence"] == 4


def test_a_stream_gives_the_same_objects_as_files(bench: Bench, filled: Bench) -> None:
    records = [*map(email, range(10)), contact(1), contact(2, "Bo Example")]
    other = Bench(bench.root / "other")
    reports = committed(other, records)
    assert [report["batch"].partition(".")[0] for report in reports] == ["email", "contact"]
    assert {path.name for path in other.objects()} == {path.name for path in filled.objects()}


def test_a_record_is_committed_although_the_stream_goes_on(bench: Bench) -> None:
    with start(bench, "--seconds", "0.1") as stream:
        assert stream.stdin and stream.stdout
        whole = lines([email(2)])
        stream.stdin.write(lines([email(1)]) + whole[:20])
        stream.stdin.flush()
        assert json.loads(stream.stdout.readline())["inserted"] == 1
        stream.stdin.write(whole[20:])
        stream.stdin.close()
        assert json.loads(stream.stdout.read())["inserted"] == 1
    assert stream.returncode == 0


def test_the_later_batch_of_a_day_decides_which_revision_is_current(bench: Bench) -> None:
    assert committed(bench, [email(1), email(2)])[0]["inserted"] == 2
    report = committed(bench, [email(2, subject="changed"), email(1)])[0]
    assert (report["revised"], report["duplicates"]) == (1, 1)
    assert subjects(bench) == ["Appointment 1", "changed"]
    committed(bench, [email(2)])
    assert subjects(bench) == ["Appointment 1", "Appointment 2"]
    bench.ok("repair", "--schemas", bench.schemas)
    bench.verify()
    assert subjects(bench) == ["Appointment 1", "Appointment 2"]
    assert committed(bench, [email(3)])[0]["sequence"] == 4


def test_repair_keeps_the_newest_volatile_fields(bench: Bench) -> None:
    committed(bench, [email(1, labels=["inbox"])])
    committed(bench, [email(1, labels=["read"])])
    for _ in range(2):
        assert bench.rows("SELECT labels FROM email")[0]["labels"] in ('["read"]', ["read"])
        bench.ok("repair", "--schemas", bench.schemas)
        bench.verify()


def test_rejects_are_kept_with_their_reason(bench: Bench) -> None:
    report = committed(bench, [email(1), email(2, subject=7)])[0]
    assert (report["inserted"], report["rejected"]) == (1, 1)
    kept = bench.store / "rejects" / report["batch"]
    assert kept.stat().st_mode & 0o777 == 0o600
    reject = json.loads(kept.read_text())
    assert (reject["input"], reject["line"], reject["record"]["subject"]) == (report["batch"], 2, 7)
    bench.ok("repair", "--schemas", bench.schemas)
    bench.verify()
    assert kept.exists()


def test_records_without_a_schema_are_rejected_without_a_type(bench: Bench) -> None:
    report = committed(bench, [{"a": 1}, {"schema": 5}])[0]
    assert report["batch"].startswith("untyped.")
    assert report["rejected_by"] == {"index:schema_absent": 2}


def test_a_schema_outside_the_registry_ends_the_stream_without_its_name(bench: Bench) -> None:
    named = "iglu:org.example/ada_sample/jsonschema/1-0-0"
    for options in ([], ["--type", "email"]):
        ended = ingest(bench, [email(1, schema=named)], *options)
        assert ended.returncode == 4
        assert "line 1" in ended.stderr
        assert "ada_sample" not in ended.stdout + ended.stderr
    bench.verify()
    assert bench.objects() == []


@pytest.mark.parametrize("last", ['{"message_id": "<x', "[1]", "\x00"], ids=["torn", "array", "binary"])
def test_everything_before_a_line_that_is_no_record_is_committed(bench: Bench, last: str) -> None:
    ended = ingest(bench, [email(1), email(2), last])
    assert ended.returncode == 3
    assert "line 3" in ended.stderr
    assert [report["inserted"] for report in ended.rows()] == [2]
    bench.verify()


def test_a_batch_that_cannot_be_committed_leaves_nothing(bench: Bench) -> None:
    ended = ingest(bench, [email(1), email(2), email(3), email(4, schema="iglu:a/b/jsonschema/1-0-0")],
                   "--type", "email", "--batch", 2, "--seconds", 600)  # fmt: skip
    assert ended.returncode == 4
    assert len(ended.rows()) == 1
    assert len(bench.objects()) == 2
    bench.verify()


def test_what_was_purged_does_not_come_back(bench: Bench) -> None:
    committed(bench, [email(1), email(2)])
    identity = bench.rows("SELECT _id FROM email ORDER BY message_id")[0]["_id"]
    bench.ok("purge", identity, "--yes")
    bench.verify()
    assert committed(bench, [email(1), email(2)])[0]["purged"] == 1
    assert subjects(bench) == ["Appointment 2"]


def test_a_pull_takes_batches_neither_for_missing_files_nor_for_held_ones(filled: Bench) -> None:
    filled.pull()
    held = filled.registry("email")["holds"]
    committed(filled, [email(1), email(77)])
    report = filled.pull("--prune")
    assert (report["files_missing"], report["files_pruned"], report["retired"]) == (0, 0, 0)
    assert filled.registry("email")["holds"] == held
    for path in filled.input.glob("email-*.jsonl"):
        path.unlink()
    assert filled.pull("--prune")["retired"] == 9
    filled.verify()
    assert subjects(filled) == ["Appointment 1", "Appointment 77"]


def test_after_a_kill_nothing_acknowledged_is_lost_and_nothing_is_stored_twice(bench: Bench) -> None:
    with start(bench, "--batch", "2", "--seconds", "600") as stream:
        assert stream.stdin and stream.stdout
        stream.stdin.write(lines(map(email, range(5))))
        stream.stdin.flush()
        acknowledged = [json.loads(stream.stdout.readline()) for _ in range(2)]
        os.kill(stream.pid, signal.SIGKILL)
    assert [report["inserted"] for report in acknowledged] == [2, 2]
    bench.ok("ingest", "--streaming", "--schemas", bench.schemas, stdin="")
    bench.verify()
    assert len(bench.objects()) == 4
    report = committed(bench, map(email, range(5)))[0]
    assert (report["inserted"], report["duplicates"]) == (1, 4)


def test_a_second_writer_is_refused_while_a_stream_is_open(bench: Bench) -> None:
    with start(bench, "--seconds", "0") as stream:
        assert stream.stdin and stream.stdout
        stream.stdin.write(lines([email(1)]))
        stream.stdin.flush()
        stream.stdout.readline()
        assert ingest(bench, [email(2)]).returncode == 8
        stream.stdin.close()


def test_a_reader_of_the_report_that_goes_away_ends_the_stream(bench: Bench) -> None:
    with start(bench, "--seconds", "0") as stream:
        assert stream.stdin and stream.stdout
        stream.stdout.close()
        stream.stdin.write(lines([email(1)]))
        stream.stdin.close()
    assert stream.returncode == 130
    bench.verify()


def test_can_and_the_projector_are_a_pipe_without_files(tmp_path: Path) -> None:
    examples = sorted((REGISTRY / "email/tests/gmail_to_canonical_v1").glob("*.input.json"))
    meta, store = REGISTRY / "email/gmail_to_canonical_v1.meta.yaml", tmp_path / "store"
    can = [PROGRAM.with_name("can"), "transform", "run", "--meta", meta, "--source", "gmail-messages-acct1"]
    command = " ".join(map(shlex.quote, map(str, can)))
    pipe = f"{command} | {shlex.quote(str(PROGRAM))} ingest --streaming --store {shlex.quote(str(store))}"
    raw = "".join(json.dumps(json.loads(each.read_bytes())) + "\n" for each in examples)
    ended = subprocess.run(["sh", "-c", pipe], input=raw, capture_output=True, text=True, check=True)
    assert sum(report["inserted"] for report in map(json.loads, ended.stdout.splitlines())) > 3
    assert run_here(["verify", "--store", str(store)]).returncode == 0


@pytest.mark.parametrize("option", ["--batch=0", "--batch=x", "--seconds=-1", "--seconds=nan", "--type=No-Type"])
def test_senseless_options_are_refused(bench: Bench, option: str) -> None:
    assert ingest(bench, [], option).returncode == 2


def test_streaming_must_be_asked_for(bench: Bench) -> None:
    assert bench.run("ingest", stdin="").returncode == 2
