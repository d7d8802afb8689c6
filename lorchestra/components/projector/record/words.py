"""Text as the full text takes it in: accents folded beyond what SQLite does, CJK text as pairs of characters, phone
numbers by their last digits.

SQLite's tokenizer `unicode61` splits text at everything that is no letter or digit, ignores case and removes accents.
It takes a run of Chinese or Japanese characters for one word; each two neighbours become a word here instead, so that
every part of a run can be found. The same functions prepare texts and queries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LETTERS = str.maketrans({
    "ß": "ss", "ẞ": "ss", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "đ": "d",
    "Đ": "d", "ð": "d", "Ð": "d", "þ": "th", "Þ": "th", "ħ": "h", "Ħ": "h", "\u0131": "i", "ŧ": "t", "Ŧ": "t",
})  # fmt: skip
"""Letters that Unicode does not decompose into a letter and an accent."""
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]+")
_NUMBER = re.compile(r"\+?[0-9(][0-9()/ .\-]{4,30}[0-9]")
_COUNTRY_DIGITS = 3
_TELEPHONE = "tel"
"""Begins each reversed number, so that none is taken for a number as it was written."""


def prepared(text: str) -> str:
    """A text as it goes into the full text."""
    if text.isascii():
        return text
    return _CJK.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text.translate(_LETTERS))


def _pairs(run: str) -> Iterator[str]:
    yield from (run[at : at + 2] for at in range(len(run) - 1))
    yield run[-1]


def plain(text: str) -> str:
    """A text with its special letters replaced, and CJK as it was."""
    return text.translate(_LETTERS)


def is_cjk(text: str) -> bool:
    """Whether a text has characters that are taken in as pairs."""
    return not text.isascii() and _CJK.search(text) is not None


def match(text: str, *, prefix: bool = False) -> str:
    """FTS5 syntax for a word or phrase, empty if it has neither letters nor digits.

    Every part is quoted, so that no character in it has a meaning of its own.
    """
    folded = text.replace("\0", " ").replace('"', " ").translate(_LETTERS)
    if not is_cjk(folded):
        return f'"{folded}"{"*" * prefix}' if _has_word(folded) else ""
    # What stands between runs is not adjacent in the index, so the parts of a phrase must only all be there.
    parts = [part for part in re.split(f"({_CJK.pattern})|\\s+", folded) if part and _has_word(part)]
    return " AND ".join(map(_cjk_match, parts))


def _cjk_match(part: str) -> str:
    if not _CJK.fullmatch(part):
        return f'"{part}"'
    pairs = [part[at : at + 2] for at in range(len(part) - 1)]
    return f'"{" ".join(pairs)}"' if pairs else f'"{part}"*'


def _has_word(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


def phones(text: str) -> str:
    """For each phone number in a text, its digits backwards, so that numbers can be compared from their end."""
    return " ".join(_TELEPHONE + _backwards(number) for number in _NUMBER.findall(text))


def phone_match(text: str) -> str:
    """FTS5 syntax for a phone number, with or without country code; empty if the text is none."""
    number = _backwards(text) if _NUMBER.fullmatch(text.strip()) else ""
    if len(number) < 6:
        return ""
    shorter = [number[:-cut] for cut in range(1, _COUNTRY_DIGITS + 1) if len(number) - cut >= 6]
    return " OR ".join([f'"{_TELEPHONE}{number}"*', *(f'"{_TELEPHONE}{each}"' for each in shorter)])


def _backwards(number: str) -> str:
    """The digits without the trunk zero, as in "+49 (0)30", and without leading zeros, last digit first."""
    digits = "".join(filter(str.isdigit, number.replace("(0)", ""))).lstrip("0")
    return digits[::-1]
