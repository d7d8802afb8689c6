"""Volatile fields: readers see the newest delivery, and no revision is made for them."""

from __future__ import annotations

import json

import pytest

from lorchestra.components.projector.database import delivery
from tests.components.projector.harness import Bench, email

DAYS = ("email-20251101.jsonl", "email-20251102.jsonl")
SEEN = "SELECT labels, _file, _line, _revision FROM email"


def test_readers_see_the_newest_delivery(bench: Bench) -> None:
    bench.canonical(DAYS[0], [email(1, labels=["INBOX", "UNREAD"])])
    bench.pull()
    bench.canonical(DAYS[1], [email(2), email(1, labels=["TRASH"])])
    assert bench.pull()["revised"] == 0
    seen = next(row for row in bench.rows(SEEN) if row["_line"] == 2)
    assert seen == {"labels": '["TRASH"]', "_file": DAYS[1], "_line": 2, "_revision": 1}
    identity = bench.rows("SELECT _id FROM email WHERE labels IS NOT NULL")[0]["_id"]
    line = (bench.input / DAYS[1]).read_text().splitlines()[1]
    assert bench.ok("get", identity, "--raw").stdout.rstrip("\n") == line
    assert bench.ok("get", identity).json()["labels"] == ["TRASH"]
    assert line in bench.ok("export", "--output", "-").stdout.splitlines()
    assert json.loads(bench.rows("SELECT _record FROM email WHERE labels IS NOT NULL")[0]["_record"]) == json.loads(
        line
    )
    bench.verify()


def test_an_older_file_that_arrives_late_does_not_replace_the_newest_delivery(bench: Bench) -> None:
    bench.canonical(DAYS[1], [email(1, labels=["TRASH"])])
    bench.pull()
    bench.canonical(DAYS[0], [email(1, labels=["INBOX"])])
    bench.pull()
    assert bench.rows(SEEN) == [{"labels": '["TRASH"]', "_file": DAYS[1], "_line": 1, "_revision": 1}]
    bench.verify()


def test_when_the_newest_file_goes_the_delivery_before_it_counts(bench: Bench) -> None:
    bench.canonical(DAYS[0], [email(1, labels=["INBOX"])])
    bench.canonical(DAYS[1], [email(1)])
    bench.pull()
    assert bench.rows(SEEN) == [{"labels": None, "_file": DAYS[1], "_line": 1, "_revision": 1}]
    (bench.input / DAYS[1]).unlink()
    bench.pull("--prune")
    assert bench.rows(SEEN) == [{"labels": '["INBOX"]', "_file": DAYS[0], "_line": 1, "_revision": 1}]
    bench.verify()
    bench.canonical(DAYS[0], [email(1, labels=["SENT"])])
    bench.pull()
    assert bench.rows(SEEN) == [{"labels": '["SENT"]', "_file": DAYS[0], "_line": 1, "_revision": 1}]
    bench.verify()


def test_after_repair_the_next_pull_brings_the_newest_delivery_back(bench: Bench) -> None:
    bench.canonical(DAYS[0], [email(1, labels=["INBOX"])])
    bench.canonical(DAYS[1], [email(1, labels=["TRASH"])])
    bench.pull()
    bench.ok("repair", "--schemas", bench.schemas)
    bench.verify()
    bench.pull()
    assert bench.rows(SEEN)[0]["labels"] == '["TRASH"]'
    bench.verify()


STORED = b'{"id":"1","labels":["a"],"n":1}'


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"1","labels":["b"],"n":1}',
        b'{"id":"1","n":1}',
        b'{"id":"1","n":1,"labels":["b"]}',
        b'{ "id": "1", "labels": [], "n": 1 }',
        b'{"n":1,"id":"1","read":true,"labels":null}',
        b'{"id":"1","labels":["\\u00e9"],"n":1.0}',
    ],
)
def test_a_delivered_line_is_given_back_byte_for_byte(line: bytes) -> None:
    volatile = ("labels", "read")
    assert delivery.delivered(STORED, delivery.described(STORED, line, volatile), volatile) == line
    assert delivery.delivered(STORED, None, volatile) == STORED
