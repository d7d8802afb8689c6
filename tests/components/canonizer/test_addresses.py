"""Addresses of mail headers: what is in angle brackets counts, and nothing from a display name is an address."""

from __future__ import annotations

import re
from email import policy
from email.parser import Parser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lorchestra.components.canonizer.record.functions.addresses import parsed
from lorchestra.components.canonizer.record.functions.mail import addresses

A, B, C = "a@x.example", "b@x.example", "c@x.example"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("support@bank.example <attacker@evil.example>", [("support@bank.example", "attacker@evil.example")]),
        (
            "Bank, support@bank.example <attacker@evil.example>",
            [("Bank, support@bank.example", "attacker@evil.example")],
        ),
        ('"support@bank.example" <attacker@evil.example>', [("support@bank.example", "attacker@evil.example")]),
        ("(support@bank.example) attacker@evil.example", [("", "attacker@evil.example")]),
        ("=?utf-8?Q?a@trust.example?= <b@evil.example>", [("a@trust.example", "b@evil.example")]),
        ("=?utf-8?Q?a@trust.example?=", []),
        ("Support [EXT] Team <team@x.example>", [("Support [EXT] Team", "team@x.example")]),
        ("Doe, Jane <jane@x.example>", [("Doe, Jane", "jane@x.example")]),
        (
            "Doe, Jane <jane@x.example>, Roe, Rick <rick@x.example>",
            [("Doe, Jane", "jane@x.example"), ("Roe, Rick", "rick@x.example")],
        ),
        ("Jane Doe (she/her) <jane@x.example>", [("Jane Doe (she/her)", "jane@x.example")]),
        ("jane@x.example (Jane Doe)", [("Jane Doe", "jane@x.example")]),
        (f"{C} <{C}>, {A} <{A}>", [(C, C), (A, A)]),
        (f"{A}; {B}; C <{C}>", [("", A), ("", B), ("C", C)]),
        ("undisclosed-recipients:;", []),
        ("<Undisclosed-Recipient:@host.example;>", []),
        (f"Team: {A}, {B};, {C}", [("", A), ("", B), ("", C)]),
        (f"{A} {B}", [("", A), ("", B)]),
        (
            "=?utf-8?Q?M=C3=BCller=2C_Hans?= <hans@x.example>, b@x.example",
            [("Müller, Hans", "hans@x.example"), ("", B)],
        ),
        ('"john smith"@x.example', [("", '"john smith"@x.example')]),
        ("<mailto:jane@x.example>", [("", "jane@x.example")]),
        ("<@relay.example,@other.example:jane@x.example>", [("", "jane@x.example")]),
        ("user@[192.0.2.1]", [("", "user@[192.0.2.1]")]),
        ("'jane@x.example' <jane@x.example>", [("'jane@x.example'", "jane@x.example")]),
        ("MAILER-DAEMON (Mail Delivery System)", []),
        ("José <josé@münchen.example>", [("José", "josé@münchen.example")]),
        (f"{A},,{B}, ", [("", A), ("", B)]),
        ("", []),
    ],
)
def test_a_header_means_these_mailboxes(header: str, expected: list[tuple[str, str]]) -> None:
    assert [(found["name"], found["address"]) for found in addresses(header)] == expected


PIECES = st.sampled_from(
    [A, B, "<", ">", ",", ";", ":", '"', "(", ")", "\\", "@", " ", "Jane", "=?utf-8?Q?a@x?=", "[", "]", "'", f"<{C}>"]
)


@settings(max_examples=500)
@given(st.lists(PIECES, max_size=24).map("".join) | st.text(max_size=60))
@example('"<a@x.example>, "b')
def test_every_address_is_in_the_header(header: str) -> None:
    for _, address in parsed(header):
        assert address in header
        assert "@" in address


NAMES = st.lists(st.sampled_from(["Jane", "Doe,", A, "support@bank.example", "(x)", "O'Neil", "[EXT]"]), max_size=5)


@given(st.lists(NAMES.map(" ".join), min_size=1, max_size=4))
def test_no_address_comes_from_a_display_name(names: list[str]) -> None:
    """However many names with addresses in them: each mailbox is what its brackets hold."""
    header = ", ".join(f"{name} <real{at}@x.example>" for at, name in enumerate(names))
    quoted = ", ".join(f'"{name}" <real{at}@x.example>' for at, name in enumerate(names))
    wanted = [f"real{at}@x.example" for at in range(len(names))]
    assert [address for _, address in parsed(quoted)] == wanted
    ends = [name.rstrip().endswith(",") or re.search(r"@\S+(?: \(x\))?,", name) for name in names]
    if not any(ends):
        assert [address for _, address in parsed(header) if address.startswith("real")] == wanted
        assert [address for _, address in parsed(header)][:1] == wanted[:1] or "," in names[0]


ATOM = st.from_regex(r"[a-zA-Z][a-zA-Z0-9!#$%&*+/=?^_`{|}~-]{0,8}", fullmatch=True).filter(
    lambda text: "=?" not in text
)
MAILBOX = st.builds(
    lambda name, quoted, local, domain: (
        f'"{name}" <{local}@{domain}.example>' if quoted else f"{name} <{local}@{domain}.example>"
    ),
    st.lists(ATOM, min_size=1, max_size=3).map(" ".join),
    st.booleans(),
    ATOM,
    st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True),
)


@given(st.lists(MAILBOX, min_size=1, max_size=5))
def test_lists_by_the_rules_are_read_as_the_standard_library_reads_them(mailboxes: list[str]) -> None:
    header = ", ".join(mailboxes)
    message = Parser(policy=policy.default).parsestr(f"To: {header}\n\n")
    expected = [(address.display_name, address.addr_spec) for address in message["To"].addresses]
    assert [(found["name"], found["address"]) for found in addresses(header)] == expected


@pytest.mark.parametrize(
    "piece", [",", ";", ":", "(", "()", "<", '"', "\\", "a,", "a@b ", "a@b,", "=?", "<a@b", "'", "["]
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    """Measured in steps: a header of 256 KiB is read at once, where quadratic time would take hours."""
    parsed((piece * 262_144)[:262_144])


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x16", "\x1a", "\x1b", "\x7f", "\x80", "\x9b"])
@pytest.mark.parametrize("header", ["b@E{}m.org", "a{}b@example.org", "Name <a{}b@example.org>", "N <a@[10.{}0.0.1]>"])
def test_an_address_contains_no_control_character(control: str, header: str) -> None:
    found = addresses(header.format(control))
    assert [pair for pair in found if control in pair["address"]] == []
