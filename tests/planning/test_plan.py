"""Which canonical files there should be: a truth table, and what holds for any names and patterns."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorchestra.base.errors import Code, Failure
from lorchestra.planning import plan
from lorchestra.planning.plan import Input, Plan, Rule, Target

GMAIL = Rule("*gmail*.jsonl", "email/gmail_to_canonical_v1", "email")
EXCHANGE = Rule("*exchange*.jsonl", "email/exchange_to_canonical_v1", "email")
CONTACTS = Rule("*contacts*.jsonl", "contact/dataverse_contact_to_canonical_v1", "contact")
RULES = (GMAIL, EXCHANGE, CONTACTS)

ACCT1, BEN, DATAVERSE = (
    "gmail-messages-acct1-personal-20251112.jsonl",
    "exchange-messages-ben-mensio-20251112.jsonl",
    "contacts-dataverse-20251112.jsonl",
)


def made(names: Sequence[str], *rules: Rule) -> dict[str, list[str]]:
    """By target: its inputs."""
    return {t.name: [i.name for i in t.inputs] for t in plan.make(names, rules or RULES).targets}


def test_the_specifications_example() -> None:
    assert plan.make([ACCT1, BEN, DATAVERSE], RULES) == Plan(
        (
            Target("contact", "20251112", (Input(DATAVERSE, CONTACTS.transform),)),
            Target("email", "20251112", (Input(BEN, EXCHANGE.transform), Input(ACCT1, GMAIL.transform))),
        ),
        unmatched=(),
        unnamed=0,
    )


def test_the_files_of_a_target() -> None:
    target = Target("clinical_session", "20251112", ())
    assert (target.name, target.file) == ("clinical_session-20251112", "clinical_session-20251112.jsonl")


@pytest.mark.parametrize(
    ("names", "targets"),
    [
        ([], {}),
        (["gmail-a-20251112.jsonl", "gmail-a-20251113.jsonl"], {
            "email-20251112": ["gmail-a-20251112.jsonl"], "email-20251113": ["gmail-a-20251113.jsonl"]}),
        (["gmail-b-20251112.jsonl", "gmail-a-20251112.jsonl"], {
            "email-20251112": ["gmail-a-20251112.jsonl", "gmail-b-20251112.jsonl"]}),
        (["calendar-a-20251112.jsonl"], {}),
        (["gmail-a-20251131.jsonl", "GMAIL-a-20251112.jsonl", "gmail.jsonl", "README"], {}),
    ],
)  # fmt: skip
def test_raw_files_become_targets_by_type_and_the_date_in_their_name(
    names: list[str], targets: dict[str, list[str]]
) -> None:
    assert made(names) == targets


def test_unmatched_files_are_named_and_misnamed_ones_counted() -> None:
    result = plan.make(["z-20251112.jsonl", "a-20251112.jsonl", "Jane Doe.jsonl", "x.txt"], RULES)
    assert (result.targets, result.unmatched, result.unnamed) == ((), ("a-20251112.jsonl", "z-20251112.jsonl"), 2)


def test_one_raw_file_may_serve_several_types() -> None:
    people = Rule("*gmail*.jsonl", "contact/gmail_to_contact_v1", "contact")
    assert made([ACCT1], GMAIL, people) == {"contact-20251112": [ACCT1], "email-20251112": [ACCT1]}


def test_two_mappings_of_one_type_on_one_file_contradict_each_other() -> None:
    wide = Rule("*messages*.jsonl", "email/other_v1", "email")
    with pytest.raises(Failure) as caught:
        plan.make([BEN, ACCT1], (GMAIL, CONTACTS, wide))
    assert caught.value.code is Code.CONFIG
    assert caught.value.message == (
        f'{ACCT1} matches two mappings of the type email: "*gmail*.jsonl" and "*messages*.jsonl"'
    )


def test_mappings_that_share_no_file_do_not_contradict_each_other() -> None:
    wide = Rule("*messages*.jsonl", "email/other_v1", "email")
    assert made([BEN], GMAIL, wide) == {"email-20251112": [BEN]}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [("*", True), ("*gmail*", True), ("gmail*", True), ("gmail", False), ("*GMAIL*", False), ("*-2025????.jsonl", True),
     ("[a-g]mail*", True), ("[!g]*", False), ("[", False), ("[z-a]*", False), ("(.*", False), ("*gmail*.json", False),
     ("*a" * 40 + "b", False)],
)  # fmt: skip
def test_patterns_are_those_of_a_shell(pattern: str, matches: bool) -> None:
    assert bool(made([ACCT1], Rule(pattern, "a/b", "email"))) is matches


stems = st.sampled_from(["gmail-a", "gmail-b", "exchange-a", "contacts", "other", "Bad Name"])
dates = st.sampled_from(["20251112", "20251113", "20251131", "x"])
files = st.lists(st.builds("{}-{}.jsonl".format, stems, dates), unique=True)


@settings(deadline=None)
@given(names=files, seed=st.integers())
def test_the_plan_does_not_depend_on_any_order_and_loses_no_file(names: list[str], seed: int) -> None:
    shuffled, rules = names[:], list(RULES)
    random.Random(seed).shuffle(shuffled)
    random.Random(seed).shuffle(rules)
    result = plan.make(names, RULES)
    assert plan.make(iter(shuffled), rules) == result
    used = [i.name for target in result.targets for i in target.inputs]
    assert len(used) + len(result.unmatched) + result.unnamed == len(names)
    assert {*used, *result.unmatched} <= set(names)
    assert all(i.name.endswith(f"-{t.date}.jsonl") for t in result.targets for i in t.inputs)


@settings(deadline=None, max_examples=300)
@given(st.text("[]!-*?^\\az|()+{}.", max_size=12))
def test_any_pattern_is_a_pattern(pattern: str) -> None:
    plan.make([ACCT1, BEN], [Rule(pattern, "a/b", "email")])


def test_ten_years_of_eight_accounts() -> None:
    names = [
        f"{kind}-messages-{n}-{year}{month:02}{day:02}.jsonl"
        for kind in ("gmail", "exchange") for n in range(2) for year in range(2016, 2026)
        for month in range(1, 13) for day in range(1, 22)
    ]  # fmt: skip
    result = plan.make(names, (*RULES, Rule("*sessions*", "a/b", "session"), Rule("*forms*", "a/c", "form")))
    assert (len(names), len(result.targets)) == (10_080, 2_520)
    assert {len(target.inputs) for target in result.targets} == {4}


@pytest.mark.parametrize(
    ("pattern", "possible"),
    [
        ("*gmail*.jsonl", True),
        ("*", True),
        ("gmail-?-20251112.jsonl", True),
        ("[fg]mail-*", True),
        ("[!a]*.jsonl", True),
        ("gmail-a-20251112.jsonl", True),
        ("gmail-a-20251399.jsonl", False),
        ("[gmail.jsonl", False),
        ("*[gmail*.jsonl", False),
        ("*.json", False),
        ("*Gmail*", False),
        ("*.jsonl.gz", True),
        ("*.jsonl?", False),
        ("*.json?", True),
    ],
)
def test_a_pattern_that_can_match_nothing_is_known(pattern: str, possible: bool) -> None:
    assert plan.can_match(pattern) is possible
