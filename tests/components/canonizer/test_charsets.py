"""Bytes of mail as text: UTF-8 wins over any label, labels are those of the WHATWG table, short text is not guessed."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorchestra.components.canonizer.record.functions.charsets import decoded


@pytest.mark.parametrize(
    "label",
    [
        "iso-8859-1",
        "windows-1252",
        "iso-8859-2",
        "windows-1251",
        "koi8-r",
        "gb18030",
        "iso-2022-jp",
        "us-ascii",
        "big5",
    ],
)
@pytest.mark.parametrize("text", ["Grüße – café, 20 €", "Добрый день", "预约确认你好", "naïve"])
def test_utf_8_wins_over_any_label(label: str, text: str) -> None:
    assert decoded(text.encode(), label) == text


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("iso-8859-1", "cp1252", "“Grüße”, Señor"),
        ("windows-1251", "cp1251", "Добрый день"),
        ("iso-8859-8-i", "iso8859-8", "שלום לך"),
        ("windows-874", "cp874", "สวัสดีครับ"),
        ("iso-8859-11", "cp874", "สวัสดี"),
        ("x-sjis", "cp932", "日本語①"),
        ("windows-31j", "cp932", "髙橋"),
        ("iso-8859-9", "cp1254", "“quoted” ş ğ ı"),
        ("x-gbk", "gb18030", "預約"),
        ("gb2312", "gb18030", "預約確認"),
        ("ks_c_5601-1987", "cp949", "똠방각하"),
        ("iso-2022-jp", "iso2022_jp", "予約の確認"),
        ("utf-16le", "utf-16-le", "visit"),
        ("utf-7", "utf-7", "café"),
        ("cp850", "cp850", "Größe"),
        (' "windows-1252" ', "cp1252", "café"),
    ],
)
def test_labels_mean_what_browsers_take_them_for(label: str, codec: str, text: str) -> None:
    assert decoded(text.encode(codec), label) == text


def test_short_text_is_not_guessed() -> None:
    assert decoded("café".encode("latin-1"), None) == "café"
    assert decoded("né".encode("latin-1"), "utf-8") == "né"
    assert decoded("café".encode("latin-1"), "x-no-such-charset") == "café"
    assert decoded(b"\x81\x8d", "windows-1252") == "\x81\x8d"


def test_a_byte_order_mark_is_removed() -> None:
    assert decoded(codecs.BOM_UTF8 + b"hi", "iso-8859-1") == "hi"


@given(st.binary(max_size=200), st.sampled_from(["utf-8", "big5", "euc-kr", "hz-gb-2312", "rot13", "", "x" * 99]))
def test_any_bytes_are_some_text(content: bytes, label: str) -> None:
    assert isinstance(decoded(content, label), str)
