"""The host functions: total, bounded, and the same under each engine."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorchestra.components.canonizer.record import engines, functions
from lorchestra.components.canonizer.record.functions import addresses, dates, mail, markdown, markup

ENGINES = [engines.load(name) for name in engines.installed()]


def evaluate(engine: engines.Engine, source: str, value: Any) -> Any:
    prelude, used = functions.used_by(source)
    run = engine.compile(f"({prelude}\n{source}\n)", used)
    text = run(json.dumps(value))
    return "nothing" if text is None else json.loads(text)


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode("latin-1"), "ISO-8859-1", "Grüße"),
        ("“quoted”".encode("cp1252"), "iso-8859-1", "“quoted”"),  # as browsers read it
        ("Привет".encode("koi8-r"), "KOI8-R", "Привет"),
        ("日本語".encode("iso-2022-jp"), "iso-2022-jp", "日本語"),
        ("Grüße".encode(), None, "Grüße"),
        ("Grüße".encode(), "us-ascii", "Grüße"),  # a lie
        ("Grüße".encode(), "x-no-such-charset", "Grüße"),
        ("Grüße".encode(), '"UTF-8"', "Grüße"),
        ("plain".encode("utf-16"), "utf-16", "plain"),
        (b"", "utf-8", ""),
        (b"abc", "rot13", "abc"),  # a codec, but none of text
        (b"abc", "zip", "abc"),
    ],
)
def test_mime_text_decodes_by_content_and_charset(content: bytes, charset: str | None, text: str) -> None:
    assert mail.mime_text(encoded(content), charset) == [text]


def test_mime_text_of_a_lying_charset_looks_at_the_bytes() -> None:
    cyrillic = "Добрый день, уважаемые коллеги! Направляем вам расписание на следующую неделю. " * 3
    assert mail.mime_text(encoded(cyrillic.encode("cp1251")), "utf-8") == [cyrillic]


@given(st.binary(), st.sampled_from(["", "\r\n", " ", "!", "é"]))
def test_base64_of_any_bytes_is_read(content: bytes, between: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert mail.base64_bytes(between.join(encode(content).decode())) == content


def test_base64_is_read_beyond_padding_in_its_midst() -> None:
    assert mail.base64_bytes("SGVs=bG8=") == b"Hello"


@pytest.mark.parametrize("data", ["SGVsbG8", "SGVsbG8=", "SGVs\r\nbG8=", "SGVsbG8==", " SGVsbG8 "])
def test_base64_is_read_padded_folded_or_not(data: str) -> None:
    assert mail.mime_text(data) == ["Hello"]


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= all", "Grüße all"),
        ("=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),  # RFC 2047: the blank between two encoded words is not shown
        ("=?iso-8859-1?Q?caf=E9_au_lait?=", "café au lait"),
        ("=?utf-8?q?Gr=C3=BC?=\r\n =?utf-8?q?=C3=9Fe?=", "Grüße"),
        ("folded\r\n\tline", "folded line"),
        ("=?x-unknown?q?abc?=", "abc"),
        ("=?utf-8*en?q?abc?=", "abc"),  # RFC 2231 adds a language
        ("=?utf-8?q?broken", "=?utf-8?q?broken"),
        ("=?utf-8?b?!!!?=", ""),
    ],
)
def test_mime_header(header: str, text: str) -> None:
    assert mail.mime_header(header) == [text]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("a@x.org", [("", "a@x.org")]),
        ("Ann <a@x.org>, b@y.org", [("Ann", "a@x.org"), ("", "b@y.org")]),
        ('"Doe, Jane" <j@x.org>', [("Doe, Jane", "j@x.org")]),
        ('"Quote \\" inside" <q@x.org>', [('Quote " inside', "q@x.org")]),
        ("=?utf-8?q?J=C3=BCrgen?= <j@x.org>", [("Jürgen", "j@x.org")]),
        ("=?utf-8?q?Doe=2C_Jane?= <j@x.org>", [("Doe, Jane", "j@x.org")]),
        ("Team: Ann <a@x.org>, b@y.org;, c@z.org", [("Ann", "a@x.org"), ("", "b@y.org"), ("", "c@z.org")]),
        ("undisclosed-recipients:;", []),
        ("", []),
        ("a@x.org,\r\n b@y.org", [("", "a@x.org"), ("", "b@y.org")]),
        ("Ann <a@x.org>, , b@y.org,", [("Ann", "a@x.org"), ("", "b@y.org")]),
        ("MAILER-DAEMON", []),
    ],
)
def test_addresses(header: str, expected: list[tuple[str, str]]) -> None:
    assert [(one["name"], one["address"]) for one in mail.addresses(header)] == expected


def test_deep_html_is_read_as_far_as_it_is_cheap_to_read() -> None:
    deep = "<div>" * 100_000
    assert markup.html_text(f"shown{deep}not any more") == ["shown"]
    assert markup.html_text("<p>one<li>two<br>" * 30_000) == ["\n".join(["one", "two"] * 30_000)]
    assert markup.html_text("<div>one</div>" * 60_000) == ["\n".join(["one"] * 60_000)]


PIECES = [
    '"Doe, J"',
    '""',
    '"',
    '" a  b "',
    "Ann",
    "O'Brien",
    "é",
    "a@x.org",
    "<b@y.org>",
    "<a@b>",
    " ",
    ", ",
    ",",
    ".",
    "x.y",
    "=?utf-8?q?J=C3=BC?=",
]


@settings(deadline=None, max_examples=400)
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=8))
def test_the_short_way_through_a_plain_list_leads_to_the_same(pieces: list[str]) -> None:
    value = "".join(pieces)
    if mail._PLAIN_LIST.fullmatch(value):
        assert mail.plain_addresses(value) == addresses.parsed(value)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Wed, 12 Nov 2025 10:30:45 +0100", "2025-11-12T09:30:45Z"),
        ("12 Nov 2025 10:30:45 -0500 (EST)", "2025-11-12T15:30:45Z"),
        ("Wed, 12 Nov 2025 10:30 GMT", "2025-11-12T10:30:00Z"),
        ("2025-11-12T10:30:45Z", "2025-11-12T10:30:45Z"),
        ("2025-11-12T10:30:45.123+02:00", "2025-11-12T08:30:45.123Z"),
        ("2025-11-12T10:30:45.1234567Z", "2025-11-12T10:30:45.123Z"),
        ("2025-11-12 10:30:45", "2025-11-12T10:30:45Z"),
        ("2025-11-12", "2025-11-12T00:00:00Z"),
        ("20251112", "2025-11-12T00:00:00Z"),
        (1762943445000, "2025-11-12T10:30:45Z"),
        (1762943445123.0, "2025-11-12T10:30:45.123Z"),
        ("1762943445000", "2025-11-12T10:30:45Z"),
        (0, "1970-01-01T00:00:00Z"),
    ],
)
def test_iso_date(value: Any, moment: str) -> None:
    assert dates.iso_date(value) == [moment]


@settings(deadline=None)
@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), st.integers(-14 * 60, 14 * 60), st.booleans())
def test_the_short_way_through_a_plain_date_leads_to_the_same(moment: datetime, minutes: int, spoilt: bool) -> None:
    text = format_datetime(moment.replace(tzinfo=timezone(timedelta(minutes=minutes))))
    text = text.replace(":0", ":7") if spoilt else text
    try:
        expected = [dates.mail_date(text).astimezone(UTC).isoformat().replace("+00:00", "Z")]
    except (ValueError, OverflowError):
        expected = []
    assert dates.iso_date(text) == expected


@given(st.datetimes(datetime(2, 1, 1), timezones=st.just(UTC)))  # the year 1 means "never"
def test_a_date_in_the_target_format_is_unchanged(moment: datetime) -> None:
    for timespec in ("seconds", "milliseconds"):
        text = moment.isoformat(timespec=timespec).replace("+00:00", "Z")
        assert dates.iso_date(text) == [text.replace(".000Z", "Z")]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "2025-13-45",
        "2025-02-30T10:30:45Z",
        "30 Feb 2025 10:30:45 +0000",
        "99999999999999999",
        1e300,
        -1e300,
        True,
        None,
        [],
        "x" * 999,
    ],
)
def test_an_invalid_date_returns_nothing(value: Any) -> None:
    assert dates.iso_date(value) == []


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One <b>bold</b></p><p>Two</p>", "One bold\nTwo"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<head><title>No</title><style>p{}</style></head><body>Yes<script>no()</script><!-- no --></body>", "Yes"),
        ("&lt;tag&gt; &amp; &eacute;&#233;&nbsp;x", "<tag> & éé x"),
        ("<ul><li>1<li>2</ul>", "1\n2"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td><table><td>3</table>4</table>5", "1 2\n3\n4\n5"),
        ("<span><div>a</div></span>b<center>c</center>d", "a\nb\nc\nd"),
        ("<!--[if mso]>not<![endif]--><![if !mso]>shown<![endif]>", "shown"),
        ("<title>never closed<p>no browser shows it", ""),
        ("<p>cut off in <a href='x", "cut off in"),
        ("a\0b\ud800<b>c</b>", "abc"),
        ("<![odd <p>t</p>", "t"),
        ("no markup", "no markup"),
        ("1 < 2", "1 < 2"),
        ("", ""),
    ],
)
def test_html_text(html: str, text: str) -> None:
    assert markup.html_text(html) == [text]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4)


@settings(deadline=None, max_examples=150)
@given(first=ANYTHING, second=ANYTHING)
def test_no_function_fails_whatever_it_is_given(first: Any, second: Any) -> None:
    for function in (mail.mime_text, mail.mime_header, dates.iso_date, markup.html_text):
        result = function(first, second)
        assert result == [] or (len(result) == 1 and isinstance(result[0], str))
        assert function() == []
    assert all(set(one) == {"name", "address"} for one in mail.addresses(first, second))
    assert mail.base64decode(first) is None or isinstance(first, str)


@settings(deadline=None, max_examples=150)
@given(
    content=st.binary(), charset=st.text() | st.sampled_from(["utf-8", "utf-7", "utf-16", "big5", "hz", "idna", "hex"])
)
def test_any_bytes_in_any_charset_become_text(content: bytes, charset: str) -> None:
    [text] = mail.mime_text(encoded(content), charset)
    text.encode()  # no lone surrogate: it can be written


@settings(deadline=None, max_examples=150)
@given(text=st.text(alphabet=st.sampled_from('abc<>"\\,;:()@=?_ \r\n\t=?utf-8?q?')))
def test_headers_of_any_shape_are_read(text: str) -> None:
    mail.addresses(text)
    mail.mime_header(text)
    markup.html_text(text)


@pytest.mark.parametrize(
    ("function", "bomb"),
    [
        (mail.addresses, "(" * 100_000),
        (mail.addresses, '"' * 100_001),
        (mail.addresses, "<" * 100_000),
        (mail.addresses, "a@b," * 60_000),
        (mail.addresses, "a:" * 100_000),
        (mail.mime_header, "=?utf-8?q?" * 20_000),
        (mail.mime_header, "=?utf-8?q?a?= " * 15_000),
        (mail.mime_text, "/w" * 2_000_000),
        (markup.html_text, "<div>" * 300_000),
        (markup.html_text, "<div></x>" * 200_000),
        (markup.html_text, "<p><b>" * 300_000),
        (markup.html_text, "<b><div></b>" * 150_000),
        (markup.html_text, "<table><tr><td>" * 120_000),
        (markup.html_text, "<a '" * 400_000),
        (markup.html_text, "<!--" * 400_000),
        (markup.html_text, "<script>" * 250_000),
        (markup.html_text, "<" * 2_000_000),
        (mail.addresses, "a " * 120_000 + "<"),
        (mail.addresses, "a@b," * 60_000 + "("),
        (markup.html_text, "&#x" * 300_000),
        (dates.iso_date, "1" * 100_000),
        (markdown.html_markdown, "<div>" * 300_000),
        (markdown.html_markdown, "<table><tr><td>" * 50_000),
    ],
)
def test_hostile_input_takes_bounded_time(function: Any, bomb: str) -> None:
    started = time.process_time()
    function(bomb)
    assert time.process_time() - started < 4


SOURCES: list[tuple[str, Any, Any]] = [
    ('{"t": $mimeText(b, c)}', {"b": "R3LDvMOfZQ", "c": "utf-8"}, {"t": "Grüße"}),
    ('{"t": $mimeText(b)}', {"b": "R3LDvMOfZQ"}, {"t": "Grüße"}),
    ('{"t": $mimeText(b, c)}', {}, {}),
    ('{"t": $mimeText(b, c)}', {"b": None}, {}),
    ('{"t": $mimeHeader(s)}', {"s": "=?utf-8?q?=C3=BC?="}, {"t": "ü"}),
    ('{"t": $mimeHeader(s)}', {}, {}),
    ('{"t": $addresses(s)}', {"s": "a@x.org"}, {"t": [{"name": "", "address": "a@x.org"}]}),
    ('{"t": $addresses(s)}', {"s": ""}, {"t": []}),
    ('{"t": $addresses(s)}', {}, {"t": []}),
    ('{"t": $addresses(s)[0].address}', {"s": "a@x.org, b@y.org"}, {"t": "a@x.org"}),
    ('{"t": $isoDate(s)}', {"s": 0}, {"t": "1970-01-01T00:00:00Z"}),
    ('{"t": $isoDate(s)}', {"s": "never"}, {}),
    ('{"t": $isoDate(s) ? $isoDate(s) : "none"}', {"s": "never"}, {"t": "none"}),
    ('{"t": $htmlText(s)}', {"s": "<p>a</p>"}, {"t": "a"}),
    ('{"t": s.$htmlText($)}', {"s": ["<p>a</p>", "<p>b</p>"]}, {"t": ["a", "b"]}),
    ('{"t": $map(s, $isoDate)}', {"s": [0, "never", 1000]}, {"t": ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"]}),
    ('{"t": $base64decode(s)}', {"s": base64.b64encode(b"\xff\xfe\xe9").decode()}, None),
    ('{"t": $base64decode(s)}', {"s": base64.b64encode("é".encode()).decode()}, {"t": "é"}),
    ('/* $isoDate */ {"t": s} /* no end of line */', {"s": 1}, {"t": 1}),
    ("items.{'d': $isoDate(at)}", {"items": [{"at": 0}, {"at": "no"}]}, [{"d": "1970-01-01T00:00:00Z"}, {}]),
]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.NAME)
@pytest.mark.parametrize(("source", "value", "expected"), SOURCES)
def test_engines_return_the_same(engine: engines.Engine, source: str, value: Any, expected: Any) -> None:
    found = evaluate(engine, source, value)
    if expected is None:
        assert isinstance(found["t"], str)
    else:
        assert found == expected


def test_only_mentioned_host_functions_are_registered() -> None:
    assert functions.used_by("{'a': b}") == ("", {})
    assert functions.mentioned("$isoDateTime(x) & $isoDate(x)") == ["isoDate"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<h1>A</h1><p>b <b>c</b> <a href='https://x.example/'>d</a>", "# A\n\nb **c** [d](https://x.example/)"),
        ("<ul><li>x<li>y</ul>", "- x\n- y"),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        ("<pre>a\n  b</pre>", "```\na\n  b\n```"),
        ("<script>alert(1)</script><style>p{}</style><title>t</title>x", "x"),
        ("plain & simple", "plain & simple"),
        ("<div>" * 2000 + "deep", "deep"),
        ("", ""),
    ],
)
def test_html_becomes_markdown(html: str, text: str) -> None:
    assert markdown.html_markdown(html) == [text]


@pytest.mark.parametrize("value", [None, 5, True, [], {}])
def test_values_that_are_not_text_have_no_markdown(value: Any) -> None:
    assert markdown.html_markdown(value) == []
