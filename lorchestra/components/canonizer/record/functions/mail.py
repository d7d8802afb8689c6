"""Text, headers and addresses of real mail (RFC 2045, RFC 2047, RFC 5322)."""

from __future__ import annotations

import binascii
import re
from typing import Any

from lorchestra.components.canonizer.record.functions.addresses import CONTROL, parsed
from lorchestra.components.canonizer.record.functions.charsets import decoded

LONGEST_HEADER = 256 * 1024
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?\s]*)\?=")
_BETWEEN_ENCODED = re.compile(r"(\?=)\s+(?==\?)")
_FOLD = re.compile(r"[\r\n]+[ \t]*")
# Most lists have no comments, groups and escapes, and need no parser.
_ATOM = rf"[^\s<>@,;:()\"\\\[\]{CONTROL}]++"
_NAME = rf'(?:"([^"\\]*+)"\s*+|((?:{_ATOM}\s++)*+))'
_MAILBOX = rf"\s*+(?:{_NAME}<({_ATOM}@{_ATOM})>|((?!=\?){_ATOM}@{_ATOM}))\s*+"
_PLAIN = re.compile(_MAILBOX)
_PLAIN_LIST = re.compile(rf"{_MAILBOX}(?:,{_MAILBOX})*+")


def mime_text(data: Any = None, charset: Any = None, *_: Any) -> list[str]:
    """Base64url or base64 text, decoded with the declared charset; [] if the input is not text."""
    if not isinstance(data, str):
        return []
    return [decoded(base64_bytes(data), charset if isinstance(charset, str) else None)]


def base64decode(data: Any = None, *_: Any) -> str | None:
    """JSONata's own function, for any bytes."""
    return decoded(base64_bytes(data), None) if isinstance(data, str) else None


def base64_bytes(data: str) -> bytes:
    """The bytes of a base64 or base64url text; characters of neither alphabet are ignored."""
    text = data.encode("ascii", "ignore").translate(_TO_STANDARD).rstrip(b"=")
    try:
        if b"=" not in text:  # the decoder would stop there
            return binascii.a2b_base64(text + b"==")
    except binascii.Error:
        pass
    letters = _NOT_BASE64.sub(b"", text)
    usable = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(usable + b"==")


def mime_header(text: Any = None, *_: Any) -> list[str]:
    """A header's value, unfolded and with its RFC 2047 words decoded; [] if the input is not text."""
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
    """The addresses of a header's value, groups replaced by their members; [] if there is none."""
    if not isinstance(text, str):
        return []
    value = _unfolded(text)
    pairs = plain_addresses(value) if _PLAIN_LIST.fullmatch(value) else parsed(value)
    return [{"name": header(name), "address": address} for name, address in pairs if address]


def plain_addresses(value: str) -> list[tuple[str, str]]:
    """Name and address of each mailbox in a list that `_PLAIN_LIST` matches: the same as `addresses.parsed`, faster."""
    found = _PLAIN.findall(value)
    return [(quoted.strip() or " ".join(name.split()), address or bare) for quoted, name, address, bare in found]
