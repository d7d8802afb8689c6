"""The query language of `search`, as docs/search.md describes it, through the real program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Failure
from lorchestra.components.projector.query import language, plan
from tests.components.projector.harness import ROOT, FastBench

EMAIL = "iglu:org.canonical/email/jsonschema/1-0-0"
CONTACT = "iglu:org.canonical/contact/jsonschema/1-0-1"
APPOINTMENTS = "iglu:org.canonical/appointment/jsonschema/1-0-0"


def email(number: int, subject: str, body: str, date: str, **fields: Any) -> dict[str, Any]:
    """A canonical email; `sender` stands for `from`."""
    sender = {"from": fields.pop("sender")}
    own = {"message_id": f"m{number}", "subject": subject, "body": body, "date": f"{date}T10:00:00Z", "schema": EMAIL}
    return own | sender | fields


def contact(number: int, name: str, phone: str, **fields: str) -> dict[str, Any]:
    phones = [{"type": "mobile", "number": phone}]
    return {"contact_id": f"c{number}", "name": name, "phones": phones, "schema": CONTACT, **fields}


ADA = {"address": "ada@example.org"}
BEN = {"address": "ben@example.com", "name": "Ben Mensio"}
ZOE = {"address": "zoë@example.net", "name": "Zoë Überall"}
FIRST: dict[str, Any] = {"to": [BEN], "labels": ["INBOX", "Private"], "is_read": True, "thread_id": "t1"}
LINK = "Ada wrote about a follow-up: http://example.org/page?x=1"
INVOICE = [{"name": "Invoice-2025.pdf"}]
MAIL = [
    email(1, "Tea on Monday", "With lemon.", "2025-01-10", sender="ada@example.org", from_name="Ada Sample", **FIRST),
    email(2, "Re: Tea on Monday", "Coffee for me.", "2025-01-11", sender="ben@example.com", to=[ADA], cc=[ZOE],
          from_name="Ben Mensio", thread_id="t1"),
    email(3, "Straße und Łódź", LINK, "2025-02-01", sender="carl@example.com", attachments=INVOICE, labels=["Work"],
          thread_id="t2"),
    email(4, "预约确认", "请确认您的预约时间 on 10:30", "2025-03-05", sender="li@example.cn", is_read=False),
    email(5, "Nothing else", "O'Brien paid 50% of C++ & more.", "2024-12-31", sender="dora@example.org"),
]  # fmt: skip
CONTACTS = [
    contact(1, "Ada Sample", "+49 (0)30 1234567"),
    contact(2, "Dr. B", "089/7654321", given_name="Bertha", created_at="2025-01-20T00:00:00Z"),
]

CALENDAR = [
    {
        "appointment_id": "a1", "title": "Review", "start": "2025-04-01T08:00:00Z", "location": "Room 3",
        "attendees": [{"name": "Noor Al-Mithal", "response": "accepted"}], "is_private": True, "schema": APPOINTMENTS,
    }
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FastBench:
    bench = FastBench(tmp_path_factory.mktemp("search"))
    bench.schemas = ROOT / "transforms" / "schemas"
    bench.canonical("email-20250310.jsonl", MAIL)
    bench.canonical("contact-20250101.jsonl", CONTACTS)
    bench.canonical("appointment-20250401.jsonl", CALENDAR)
    bench.pull()
    return bench


def found(store: FastBench, *query: str) -> list[str]:
    return [row["title"] for row in store.ok("search", "--format", "jsonl", "--", *query).rows()]


T1, T2, ROAD, APPOINTMENT, ELSE = (str(mail["subject"]) for mail in MAIL)
QUERIES: dict[str, list[str]] = {
    # words, phrases, prefixes
    "tea": [T2, T1],
    "TEA monday": [T2, T1],
    '"tea on monday" lemon': [T1],
    '"monday tea"': [],
    "lem*": [T1],
    # OR, NOT, parentheses
    "lemon OR coffee": [T2, T1],
    "tea -coffee": [T1],
    "tea NOT lemon": [T2],
    "tea (lemon OR milk)": [T1],
    "(lemon OR invoice) -tea": [ROAD],
    "tea AND NOT (lemon OR coffee)": [],
    "-tea type:email": [APPOINTMENT, ROAD, ELSE],
    # fields
    "from:ada": [T1],
    "from:ada@example.org": [T1],
    'from:"Ada Sample"': [T1],
    "from:(ada OR ben) tea": [T2, T1],
    "to:ada": [T2],
    "to:ben to:mensio": [T1],
    "cc:zoe": [T2],
    "subject:tea": [T2, T1],
    "subject:coffee": [],
    "body:coffee": [T2],
    "body:ada": [ROAD],
    "attachment:invoice": [ROAD],
    "attachment:invoice-2025.pdf": [ROAD],
    "thread:t1": [T2, T1],
    "ada@example.org": [T2, T1],
    "name:bertha": ["Dr. B"],
    "name:ada": ["Ada Sample"],
    # labels, flags, types: columns, also inside OR and NOT
    "label:inbox": [T1],
    "label:priv*": [T1],
    "label:priv": [],
    "-label:inbox tea": [T2],
    "label:work OR lemon": [ROAD, T1],
    "is:read": [T1],
    "is:unread": [APPOINTMENT, ROAD, T2, ELSE],
    "is:unread tea": [T2],
    "type:contact": ["Dr. B", "Ada Sample"],
    "type:contact OR lemon": ["Dr. B", T1, "Ada Sample"],
    "ada type:email": [ROAD, T2, T1],
    # dates
    "type:email date:2025-01": [T2, T1],
    "type:email date:2025-01..2025-02": [ROAD, T2, T1],
    "type:email date:2025-02..": [APPOINTMENT, ROAD],
    "type:email date:..2024": [ELSE],
    "type:email date:2025-01-11": [T2],
    "type:email before:2025-01-11": [T1, ELSE],
    "type:email after:2025-02-01": [APPOINTMENT],
    "type:email after:2025-01": [APPOINTMENT, ROAD],
    "tea (date:2025-01-10 OR coffee)": [T2, T1],
    # accents, letters, CJK, punctuation
    "uberall": [T2],
    "Überall": [T2],
    "strasse": [ROAD],
    "Straße lodz": [ROAD],
    "预约": [APPOINTMENT],
    "确认": [APPOINTMENT],
    "约": [APPOINTMENT],
    "约确": [APPOINTMENT],
    "时间": [APPOINTMENT],
    "间": [APPOINTMENT],
    "约时 10:30": [APPOINTMENT],
    "约预": [],
    "follow-up": [ROAD],
    '"follow up"': [ROAD],
    "http://example.org/page?x=1": [ROAD],
    "O'Brien 50%": [ELSE],
    "O’Brien": [ELSE],
    "C++": [ELSE],
    "more & nothing": [ELSE],
    "10:30": [APPOINTMENT],
    # phone numbers, with or without country code
    "phone:030/1234567": ["Ada Sample"],
    'phone:"+49 30 1234567"': ["Ada Sample"],
    "phone:+49-89-7654321": ["Dr. B"],
    "phone:7654321": ["Dr. B"],
    "phone:1234568": [],
    # another type's own fields
    "attendee:mithal": ["Review"],
    'location:"room 3" is:private': ["Review"],
    "attendee:accepted": ["Review"],
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_finds_what_the_page_says(store: FastBench, query: str) -> None:
    assert found(store, query) == QUERIES[query]
    count = store.ok("search", "--count", "--format", "json", "--", query).json()
    assert count == [{"count": len(QUERIES[query])}]
    ranked = store.ok("search", "--rank", "--format", "jsonl", "--", query).rows()
    assert sorted(row["title"] for row in ranked) == sorted(QUERIES[query])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("form:ada", "Did you mean from:?"),
        ("clinicain:x", "Known: "),
        ("date:soon", "a date is"),
        ("date:2025-13", "a date is"),
        ("date:2025-1-2-3", "a date is"),
        ("date:..", "a date is"),
        ("before:2025..2026", "takes one date"),
        ("after:9999", "a date is"),
        ("type:nope", "Its types: appointment, contact, email"),
        ("(tea", "not closed"),
        ("tea)", "was not opened"),
        ("tea OR", "a word is missing"),
        ("NOT", "a word is missing"),
        ("- -", "a word is missing"),
        ("(" * 60 + "tea", "nested too deeply"),
        ("tea " * 600, "at most 500"),
    ],
)
def test_a_wrong_query_is_explained(store: FastBench, query: str, said: str) -> None:
    ended = store.run("search", "--", query)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_pages_and_offsets_divide_the_results(store: FastBench) -> None:
    everything = found(store, "type:email")
    pages = [
        store.ok("search", "type:email", "--limit", 2, "--page", n, "--format", "jsonl").rows() for n in (1, 2, 3, 4)
    ]
    assert [row["title"] for page in pages for row in page] == everything
    rows = store.ok("search", "type:email", "--offset", 3, "--limit", "all", "--format", "jsonl").rows()
    assert [row["title"] for row in rows] == everything[3:]


def test_results_are_sorted_by_the_option(store: FastBench) -> None:
    rows = store.ok("search", "type:email", "--sort", "oldest", "--format", "jsonl").rows()
    assert [row["title"] for row in rows] == found(store, "type:email")[::-1]
    rows = store.ok("search", "ada OR tea", "--sort", "relevance", "--format", "jsonl").rows()
    assert {row["title"] for row in rows} == {T1, T2, ROAD, "Ada Sample"}


def test_threads_show_their_newest_match_and_how_many_there_are(store: FastBench) -> None:
    rows = store.ok("search", "type:email", "--threads", "--format", "jsonl").rows()
    assert [(row["title"], row["matches"]) for row in rows] == [(APPOINTMENT, 1), (ROAD, 1), (T2, 2), (ELSE, 1)]


def test_labels_are_those_of_the_newest_delivery(store: FastBench, tmp_path: Path) -> None:
    bench = FastBench(tmp_path)
    bench.schemas = store.schemas
    bench.canonical("email-20250310.jsonl", MAIL)
    bench.pull()
    bench.canonical("email-20250311.jsonl", [MAIL[0] | {"labels": ["Archive"], "is_read": False}])
    bench.pull()
    assert (found(bench, "label:inbox"), found(bench, "label:archive")) == ([], [T1])
    assert T1 in found(bench, "is:unread")
    bench.verify()


def test_fields_survive_repair_and_leave_with_a_purge(store: FastBench, tmp_path: Path) -> None:
    bench = FastBench(tmp_path)
    bench.schemas = store.schemas
    bench.canonical("email-20250310.jsonl", MAIL)
    bench.pull()
    bench.ok("repair", "--schemas", bench.schemas)
    bench.verify()
    assert found(bench, "to:mensio") == [T1]
    bench.ok("purge", "--subject", "message_id=m1", "--yes")
    bench.verify()
    assert found(bench, "to:mensio") == []


@pytest.mark.parametrize("kind", sorted((ROOT / "transforms" / "schemas" / "org.canonical").iterdir()))
def test_the_newest_schema_of_each_type_names_its_fields_and_the_page_lists_them(kind: Path) -> None:
    newest = max(kind.glob("jsonschema/*.json"))
    fields = set(re.findall(r'"x-field": "(\w+)"', newest.read_text()))
    (row,) = re.findall(rf"^\| `{kind.name}` \|(.*)$", (ROOT / "docs" / "search.md").read_text(), re.MULTILINE)
    assert fields == set(re.findall(r"`(\w+)`", row))


def test_a_query_is_a_tree() -> None:
    word = language.Term("", "a", False)
    other = language.Term("from", "b", True)
    assert language.parse("a -from:b*") == language.All((word, language.Not(other)))
    assert language.parse("a OR (a from:b*)") == language.Any((word, language.All((word, other))))
    assert language.parse('"a"') == word


def test_dates_are_spans_of_days() -> None:
    assert [str(day) for day in plan.days("2024-02")] == ["2024-02-01", "2024-02-29"]
    assert [str(day) for day in plan.days("2024..2025-01")] == ["2024-01-01", "2025-01-31"]
    with pytest.raises(Failure):
        plan.days("2024-00-05")
