"""The grammar of names, as a truth table and as a property."""

from __future__ import annotations

import datetime
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorchestra.records import names
from lorchestra.records.names import DatedName


@pytest.mark.parametrize(
    ("file", "stem", "date"),
    [
        ("gmail-messages-acct1-personal-20251112.jsonl", "gmail-messages-acct1-personal", "20251112"),
        ("exchange-messages-ben-mensio-20251112.jsonl", "exchange-messages-ben-mensio", "20251112"),
        ("contacts-dataverse-20251112.jsonl", "contacts-dataverse", "20251112"),
        ("a-20240229.jsonl", "a", "20240229"),
        ("mail-me.example.com-20251112.jsonl", "mail-me.example.com", "20251112"),
        ("forms_2-20251112.jsonl", "forms_2", "20251112"),
    ],
)
def test_a_raw_name_has_a_stem_and_a_date(file: str, stem: str, date: str) -> None:
    parsed = names.parse_raw(file)
    assert parsed == DatedName(stem, date)
    assert parsed.file == file
    assert names.parse_raw(f"{file}.gz") == parsed


@pytest.mark.parametrize(
    "file",
    [
        "", ".jsonl", "20251112.jsonl", "-20251112.jsonl", "gmail.jsonl", "gmail-20251112", "gmail-20251112.json",
        "gmail-20251112.json.gz",
        "gmail-20251112.jsonl.gz.gz", "gmail-20251112.jsonl\n", "\ngmail-20251112.jsonl", "Gmail-20251112.jsonl",
        "gmail-2025111.jsonl", "gmail-20251131.jsonl", "gmail-20250229.jsonl", "gmail-00000101.jsonl",
        "gmail-20251301.jsonl", "gmail-20250001.jsonl", "gmail-20251100.jsonl", "../gmail-20251112.jsonl",
        "a/b-20251112.jsonl", "a..b-20251112.jsonl", ".a-20251112.jsonl", "a--b-20251112.jsonl", "a.-20251112.jsonl",
        "é-20251112.jsonl", "gmail me-20251112.jsonl", "gmail\0-20251112.jsonl", "me@example.com-20251112.jsonl",
        "gmail-٢٠٢٥١١١٢.jsonl", "gmail-\uff12\uff10\uff12\uff15\uff11\uff11\uff11\uff12.jsonl",
        f"{'a' * 121}-20251112.jsonl",
    ],
)  # fmt: skip
def test_a_name_against_the_convention_has_no_parts(file: str) -> None:
    assert names.parse_raw(file) is None


@pytest.mark.parametrize(
    ("file", "stem"),
    [("email-20251112.jsonl", "email"), ("clinical_session-20251112.jsonl", "clinical_session")],
)
def test_a_canonical_name_begins_with_its_type(file: str, stem: str) -> None:
    assert names.parse_canonical(file) == DatedName(stem, "20251112")


@pytest.mark.parametrize("file", ["e-mail-20251112.jsonl", "2email-20251112.jsonl", "_e-20251112.jsonl", "email.jsonl"])
def test_other_canonical_names_have_no_parts(file: str) -> None:
    assert names.parse_canonical(file) is None


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("email/gmail_to_canonical_v1", True), ("email/gmail_to_canonical@1.0.0", True), ("a/b/c@latest", True),
        ("email/x@10.20.30", True), ("email", True), ("Email/My-Mail.v1_b", True),
        ("email/", False), ("/email/x", False), ("../x", False),
        ("email/../x", False), ("email//x", False), ("email/x@", False), ("email/x@1.0", False),
        ("email/x@٢.0.0", False),
        ("email/x@newest", False), ("email/x\n", False), ("email/.x", False), ("email/x--y", False),
        ("email/x..y", False), ("-x/y", False),
        ("email/x@1.0.0/../y", False), (f"a/{'b' * 300}", False),
    ],
)  # fmt: skip
def test_names_of_transforms(text: str, good: bool) -> None:
    assert names.is_transform(text) is good


@pytest.mark.parametrize("kind", [names.is_source, names.is_type, names.is_transform, names.is_date])
@settings(deadline=None, max_examples=300)
@given(text=st.text("aZ09_-./@é٣\n\0 ", max_size=20) | st.text(max_size=20))
def test_no_accepted_name_leaves_its_directory(kind: object, text: str) -> None:
    if kind(text):  # type: ignore[operator]
        assert text and text.isascii() and (text == text.lower() or kind is names.is_transform)
        assert ".." not in text and not text.startswith(("/", ".", "-"))
        assert kind is names.is_transform or "/" not in text
        assert not any(unicodedata.category(c).startswith(("C", "Z")) for c in text)


@settings(deadline=None)
@given(st.dates())
def test_every_calendar_date_is_accepted(day: datetime.date) -> None:
    assert names.is_date(f"{day.year:04}{day.month:02}{day.day:02}")


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 99_999_999))
def test_eight_digits_are_a_date_if_the_calendar_has_it(number: int) -> None:
    text = f"{number:08}"
    try:
        datetime.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        assert not names.is_date(text)
    else:
        assert names.is_date(text)


def test_names_of_batches() -> None:
    name = names.parse_batch("email.0000000042-20251112.jsonl")
    assert name == ("email", 42, "20251112")
    assert name.file == "email.0000000042-20251112.jsonl"
    assert names.parse_canonical(name.file) is None
    assert names.parse_raw("email.0000000042-20251112.jsonl") is not None  # the name is only used within a store


@pytest.mark.parametrize(
    "file",
    [
        "email-20251112.jsonl",
        "email.42-20251112.jsonl",
        "email.0000000042-20251312.jsonl",
        "Email.0000000042-20251112.jsonl",
        "email.٠٠٠٠٠٠٠٠٤٢-20251112.jsonl",
        "../email.0000000042-20251112.jsonl",
        "email.0000000042-20251112",
        ".0000000042-20251112.jsonl",
    ],
    ids=["file", "short", "date", "capital", "digits", "path", "suffix", "type"],
)
def test_what_is_no_name_of_a_batch(file: str) -> None:
    assert names.parse_batch(file) is None


def test_a_batch_is_newer_than_the_file_of_its_day() -> None:
    files = ["email-20251112.jsonl", "email.0000000007-20251112.jsonl", "email.0000000008-20251112.jsonl"]
    orders = [found.order for found in map(names.parse_delivery, [*files, "email-20251113.jsonl"]) if found]
    assert orders == sorted(set(orders))
    assert len(orders) == 4
