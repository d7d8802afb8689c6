"""Decodes mail although charset labels are often wrong.

Mail APIs deliver text parts as UTF-8 but keep the original charset in the part's Content-Type. Bytes that are valid
UTF-8 and not ASCII are therefore UTF-8, even if another charset is declared. Labels are resolved with the
table of the WHATWG Encoding Standard (package `webencodings`), as browsers and mail programs do.
"""

from __future__ import annotations

import codecs
from functools import lru_cache

LONGEST_SAMPLE = 64 * 1024
SHORTEST_SAMPLE = 25
"""Bytes. Charset detection on less gives nonsense: Latin-1 `café` becomes Chinese."""

# On the web, these labels mean supersets of the codecs that Python has under the same names.
_SUPERSETS = {
    "shift_jis": "cp932", "euc-kr": "cp949", "gbk": "gb18030", "gb2312": "gb18030", "big5": "big5hkscs",
    "iso-8859-8-i": "iso8859-8", "windows-874": "cp874", "macintosh": "mac-roman", "x-mac-cyrillic": "mac-cyrillic",
    "iso-2022-jp": "iso2022_jp_ext", "x-user-defined": "latin-1",
}  # fmt: skip
_NOT_ASCII = ("utf-16", "utf16", "utf-32", "utf32", "iso2022", "iso-2022", "hz", "utf-7", "utf7")
"""Codecs in which bytes below 128 are not ASCII text: here the declared charset is tried first."""


def decoded(content: bytes, charset: str | None) -> str:
    """Bytes as text: UTF-8 if valid, otherwise the declared charset, a detected one, or Windows-1252."""
    codec = _codec(charset) if charset else None
    first = [codec] if codec and codec.startswith(_NOT_ASCII) else []
    texts = (_strict(content, candidate) for candidate in (*first, "utf-8", codec) if candidate)
    text = next((text for text in texts if text is not None), None) or _guessed(content) or windows_1252(content)
    return text.removeprefix("\ufeff")


def windows_1252(content: bytes) -> str:
    """Any bytes as Windows-1252; the five undefined ones are control characters, as in browsers."""
    return content.decode("cp1252", "latin1_undefined")


def _latin1(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("latin1_undefined", _latin1)


@lru_cache(maxsize=256)
def _codec(label: str) -> str | None:
    """The Python codec for a charset label; None if the label is unknown or not a text encoding."""
    import webencodings

    name = label.strip().strip("\"'").strip()[:64]
    if encoding := webencodings.lookup(name):
        codec = _SUPERSETS.get(encoding.name, encoding.codec_info.name)
        return "utf-8" if codec == "utf-8" else codec
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    return info.name if getattr(info, "_is_text_encoding", True) else None


def _strict(content: bytes, codec: str) -> str | None:
    if codec in ("cp1252", "windows-1252"):
        return windows_1252(content)
    try:
        return content.decode(codec)
    except (LookupError, ValueError):
        return None


def _guessed(content: bytes) -> str | None:
    if len(content) < SHORTEST_SAMPLE:
        return None
    from charset_normalizer import from_bytes

    best = from_bytes(content[:LONGEST_SAMPLE]).best()
    return _strict(content, best.encoding) if best is not None else None
