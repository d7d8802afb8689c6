"""The addresses of a mail header such as From, To and Cc (RFC 5322, section 3.4), as real mail writes them.

The part in `<...>` is the address, and everything before it is the display name: an address inside a display name,
quotation or comment is never returned. Nothing is returned that is not in the header. Beyond the RFC: unquoted commas
in names (`Doe, Jane <jane@x.example>`), semicolons between mailboxes, and several bare addresses without a separator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_ENCODED_WORD = re.compile(r"=\?[^?\s]{1,64}\?[bBqQ]\?[^?\s]*\?=")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ANGLE = re.compile(r"<([^<>]*)>")
_WORD = re.compile(r"[^\s<>,;:()\"]+")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
CONTROL = r"\x00-\x1f\x7f-\x9f"  # no address contains them (RFC 5322, section 3.2.3)
_QUOTED_TEXT = rf"\"(?:[^\"\\{CONTROL}]|\\[^{CONTROL}])*\""
_LOCAL = rf"(?:{_QUOTED_TEXT}|[^\s<>@,;:()\"\\\[\]{CONTROL}]+)"
_DOMAIN = rf"(?:\[[^\s<>\[\]{CONTROL}]*\]|[^\s<>@,;:()\"\\\[\]{CONTROL}]+)"
_ADDRESS = re.compile(rf"{_LOCAL}@{_DOMAIN}")
_QUOTED_LOCAL = re.compile(rf"{_QUOTED_TEXT}@{_DOMAIN}")
_BRACKETED = re.compile(rf"{_LOCAL}@\[[^\s<>\[\]{CONTROL}]*\]")

Pair = tuple[str, str]


class _Item(NamedTuple):
    """A piece of a header: `text` is what a name shows of it, `address` is set if it is a bare address."""

    text: str
    kind: str  # word, quoted, comment, separator
    address: str = ""


def parsed(value: str) -> list[Pair]:
    """Display name and address of each mailbox, in order; names are not decoded. Groups are opened."""
    return list(_Reader(value).mailboxes())


class _Reader:
    """Reads a header from left to right, in time proportional to its length.

    `_items` are the pieces since the last mailbox, `_segment` is where the pieces since the last separator begin.
    """

    def __init__(self, value: str) -> None:
        self._value = value
        self._at = 0
        self._comments = _comments(value)
        self._items: list[_Item] = []
        self._segment = 0
        self._has_address = self._has_word = False

    def mailboxes(self) -> Iterator[Pair]:
        steps: dict[str, Callable[[], Iterator[Pair]]] = {"<": self._angle, ",": self._separator, ";": self._separator}
        while self._at < len(self._value):
            character = self._value[self._at]
            if character.isspace():
                self._at += 1
            elif step := steps.get(character):
                yield from step()
            else:
                self._piece(character)
        yield from self._bare()

    def _angle(self) -> Iterator[Pair]:
        found = _ANGLE.match(self._value, self._at)
        if not found:  # not an address
            self._add(_Item("<", "word"), 1)
            return
        self._at = found.end()
        address = _address_in(found[1])
        name = _name(self._items)
        self._forget()
        if address:
            yield name, address

    def _separator(self) -> Iterator[Pair]:
        character = self._value[self._at]
        if self._has_address:
            yield from self._bare()
            self._forget()
            self._at += 1
        elif character == ";" and not self._has_word:
            self._forget()  # the end of a group
            self._at += 1
        else:
            self._add(_Item(character, "separator"), 1)
            self._segment = len(self._items)

    def _piece(self, character: str) -> None:
        if character == '"' and (found := _QUOTED_LOCAL.match(self._value, self._at)):
            self._add(_Item(found[0], "word", found[0]), len(found[0]))
        elif character == '"' and (found := _QUOTED.match(self._value, self._at)):
            self._add(_Item(_ESCAPE.sub(r"\1", found[1]), "quoted"), len(found[0]))
        elif character == "(" and (end := self._comments.get(self._at)):
            self._add(_Item(self._value[self._at : end], "comment"), end - self._at)
        elif character == ":" and not self._has_address:
            self._forget()  # a group's name ends here
            self._at += 1
        else:
            self._word()

    def _word(self) -> None:
        for pattern in (_ENCODED_WORD, _BRACKETED, _WORD):
            if found := pattern.match(self._value, self._at):
                text = found[0]
                break
        else:
            text = self._value[self._at]  # an unmatched character
        bare = text[1:-1] if len(text) > 2 and text[0] == text[-1] == "'" else text
        address = bare if _ADDRESS.fullmatch(bare) and not _ENCODED_WORD.match(text) else ""
        self._add(_Item(text, "word", address), len(text))

    def _bare(self) -> Iterator[Pair]:
        """The bare addresses since the last separator; each takes the words before it as its name."""
        items = self._items[self._segment :]
        before: list[_Item] = []
        for at, item in enumerate(items):
            if not item.address:
                before.append(item)
                continue
            after = items[at + 1] if at + 1 < len(items) else None
            comment = after.text[1:-1].strip() if after and after.kind == "comment" else ""
            yield _name([item for item in before if item.kind != "comment"]) or comment, item.address
            before = []

    def _add(self, item: _Item, length: int) -> None:
        self._items.append(item)
        self._at += length
        self._has_address = self._has_address or bool(item.address)
        self._has_word = self._has_word or item.kind == "word"

    def _forget(self) -> None:
        self._items = []
        self._segment = 0
        self._has_address = self._has_word = False


def _address_in(text: str) -> str:
    """The address in angle brackets, without an obsolete route or `mailto:`; empty if it is not one."""
    text = text.strip()
    if not text.startswith('"'):
        text = text.rpartition(":")[2] if "@[" not in text else text
    text = text.strip()
    if len(text) > 2 and text[0] == text[-1] == "'":
        text = text[1:-1]
    return text if _ADDRESS.fullmatch(text) else ""


def _name(items: list[_Item]) -> str:
    """The display name in some pieces, without separators at either end."""
    first = next((at for at, item in enumerate(items) if item.kind != "separator"), len(items))
    last = next((at for at in range(len(items), first, -1) if items[at - 1].kind != "separator"), first)
    texts = (item.text if item.kind == "separator" else f" {item.text}" for item in items[first:last])
    return "".join(texts).strip()


def _comments(value: str) -> dict[int, int]:
    """Where each comment, which may hold others, begins and ends. An unmatched parenthesis is not a comment."""
    open_: list[int] = []
    found: dict[int, int] = {}
    escaped = False
    for at, character in enumerate(value if "(" in value else ""):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "(":
            open_.append(at)
        elif character == ")" and open_:
            found[open_.pop()] = at + 1
    return found
