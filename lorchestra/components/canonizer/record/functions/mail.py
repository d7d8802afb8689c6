"""Mail as it is found in the wild, by the standard library's email package (RFC 2047, RFC 5322) and its repairs."""

from __future__ import annotations

import binascii
import codecs
import re
from email.utils import getaddresses
from inspect import signature
from typing import Any

LONGEST_HEADER = 256 * 1024
LONGEST_SAMPLE = 64 * 1024
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?\s]*)\?=")
_BETWEEN_ENCODED = re.compile(r"(\?=)\s+(?==\?)")
_FOLD = re.compile(r"[\r\n]+[ \t]*")
# A list without comments, groups and escapes, as most are, needs no parser.
_ATOM = r"[^\s<>@,;:()\"\\\[\]]++"
_NAME = rf'(?:"([^"\\]*+)"\s*+|((?:{_ATOM}\s++)*+))'
_MAILBOX = rf"\s*+(?:{_NAME}<({_ATOM}@{_ATOM})>|({_ATOM}@{_ATOM}))\s*+"
_PLAIN = re.compile(_MAILBOX)
_PLAIN_LIST = re.compile(rf"{_MAILBOX}(?:,{_MAILBOX})*+")

# Newer Pythons give up a whole list over one odd address unless they are told not to.
_LENIENT: dict[str, Any] = {"strict": False} if "strict" in signature(getaddresses).parameters else {}


def mime_text(data: Any = None, charset: Any = None, *_: Any) -> list[str]:
    """Base64url or base64 text, decoded to text in the declared charset; [] where there is no text."""
    if not isinstance(data, str):
        return []
    return [decoded(base64_bytes(data), charset if isinstance(charset, str) else None)]


def base64decode(data: Any = None, *_: Any) -> str | None:
    """JSONata's own function, for any bytes."""
    return decoded(base64_bytes(data), None) if isinstance(data, str) else None


def base64_bytes(data: str) -> bytes:
    """The bytes that a base64 or base64url text stands for; what is not of either alphabet is passed over."""
    text = data.encode("ascii", "ignore").translate(_TO_STANDARD).rstrip(b"=")
    try:
        if b"=" not in text:  # there the decoder would end
            return binascii.a2b_base64(text + b"==")
    except binascii.Error:
        pass
    letters = _NOT_BASE64.sub(b"", text)
    usable = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(usable + b"==")


def decoded(content: bytes, charset: str | None) -> str:
    """Bytes as text: in the declared charset where they decode, else UTF-8, else as they look, else Latin-1."""
    for candidate in (charset, "utf-8"):
        text = _decoded(content, candidate) if candidate else None
        if text is not None:
            return text
    return _guessed(content)


def _decoded(content: bytes, charset: str) -> str | None:
    name = charset.strip().strip("\"'").lower()[:64]
    if name in ("us-ascii", "ascii", "unknown-8bit", "binary", "default"):
        name = "utf-8"  # what claims to be ASCII and is not, is most often UTF-8
    try:
        codec = codecs.lookup(name)
        return content.decode("cp1252" if codec.name == "iso8859-1" else codec.name)
    except (LookupError, ValueError):
        return None


def _guessed(content: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(content[:LONGEST_SAMPLE]).best()
    if best is not None:
        text = _decoded(content, best.encoding)
        if text is not None:
            return text
    return content.decode("latin-1")


def mime_header(text: Any = None, *_: Any) -> list[str]:
    """A header's value, unfolded and with its RFC 2047 words decoded; [] where there is no text."""
    return [header(text)] if isinstance(text, str) else []


def header(text: str) -> str:
    """A header's value as a person reads it."""
    unfolded = _unfolded(text)
    if "=?" not in unfolded:
        return unfolded.strip()
    return _ENCODED_WORD.sub(_word, _BETWEEN_ENCODED.sub(r"\1", unfolded)).strip()


def _unfolded(text: str) -> str:
    text = text[:LONGEST_HEADER]
    return _FOLD.sub(" ", text) if "\n" in text or "\r" in text else text


def _word(match: re.Match[str]) -> str:
    charset, kind, body = match.groups()
    content = base64_bytes(body) if kind in "bB" else binascii.a2b_qp(body.encode("ascii", "ignore"), header=True)
    return decoded(content, charset.partition("*")[0])


def addresses(text: Any = None, *_: Any) -> list[dict[str, str]]:
    """The addresses of a header's value, groups opened; [] where there is none."""
    if not isinstance(text, str):
        return []
    value = _unfolded(text)
    pairs = plain_addresses(value) if _PLAIN_LIST.fullmatch(value) else parsed_addresses(value)
    return [{"name": header(name), "address": address} for name, address in pairs if address]


def plain_addresses(value: str) -> list[tuple[str, str]]:
    """Name and address of each mailbox in a list that `_PLAIN_LIST` fits: what `parsed_addresses` gives, sooner."""
    found = _PLAIN.findall(value)
    return [(quoted or " ".join(name.split()), address or bare) for quoted, name, address, bare in found]


def parsed_addresses(value: str) -> list[tuple[str, str]]:
    """Name and address of each mailbox in any list."""
    try:
        return getaddresses([value], **_LENIENT)
    except (ValueError, IndexError, RecursionError):
        return []
