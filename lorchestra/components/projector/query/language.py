"""The query language of `search`: text to a tree. docs/search.md describes it for users.

query  = any { "OR" any }
any    = not { ["AND"] not }
not    = ("NOT" | "-") not | item
item   = "(" query ")" | [ field ":" ] ( word | word "*" | '"' phrase '"' | "(" query ")" )
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lorchestra.base.errors import Code, Failure

_TOKEN = re.compile(
    r"""\s*(?: (?P<open>\() | (?P<close>\)) | (?P<minus>-)(?=[^\s-])
    | (?P<field>[A-Za-z][A-Za-z_]*):(?=[^\s:/])
    | "(?P<phrase>[^"]*)"?(?P<star>\*)? | (?P<word>[^\s()"]+) )""",
    re.VERBOSE,
)
_DEEPEST = 50
_MOST_TOKENS = 500


class Term(NamedTuple):
    """A word or phrase; `field` is empty for all fields."""

    field: str
    text: str
    prefix: bool


class All(NamedTuple):
    """All parts must match."""

    parts: tuple[Node, ...]


class Any(NamedTuple):
    """One of the parts must match."""

    parts: tuple[Node, ...]


class Not(NamedTuple):
    """The part must not match."""

    part: Node


Node = Term | All | Any | Not


def parse(text: str) -> Node:
    """The tree of a query. Raises Failure(USAGE)."""
    return _Parser(text).parse()


def terms(node: Node) -> Iterator[Term]:
    """All terms of a tree."""
    if isinstance(node, Term):
        yield node
    elif isinstance(node, Not):
        yield from terms(node.part)
    else:
        for part in node.parts:
            yield from terms(part)


class _Token(NamedTuple):
    kind: str
    text: str
    prefix: bool = False


class _Parser:
    """A recursive-descent parser, a method per rule."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = self._depth = 0
        if len(self._tokens) > _MOST_TOKENS:
            raise Failure(Code.USAGE, f"a query has at most {_MOST_TOKENS} words", advice="Shorten it.")

    def parse(self) -> Node:
        """The whole query."""
        node = self._any("")
        if self._peek().kind:
            raise _wrong("a parenthesis is closed that was not opened")
        return node

    def _any(self, field: str) -> Node:
        parts = [self._all(field)]
        while self._take("OR"):
            parts.append(self._all(field))
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _all(self, field: str) -> Node:
        parts = [self._not(field)]
        while self._take("AND") or self._peek().kind not in ("", "OR", "close"):
            parts.append(self._not(field))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _not(self, field: str) -> Node:
        negated = False
        while self._take("NOT") or self._take("minus"):
            negated = not negated
        node = self._item(field)
        return Not(node) if negated else node

    def _item(self, field: str) -> Node:
        token = self._peek()
        self._at += 1
        if token.kind == "field":
            return self._item(token.text.lower())
        if token.kind == "word":
            return Term(field, token.text, token.prefix)
        if token.kind == "open":
            self._depth += 1
            if self._depth > _DEEPEST:
                raise _wrong("parentheses are nested too deeply")
            node = self._any(field)
            self._depth -= 1
            if not self._take("close"):
                raise _wrong("a parenthesis is not closed")
            return node
        raise _wrong("a word is missing")

    def _peek(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _Token("", "")

    def _take(self, kind: str) -> bool:
        found = self._peek().kind == kind
        self._at += found
        return found


def _tokens(text: str) -> Iterator[_Token]:
    """The tokens of a text. Words without a letter or digit are left out: the index has no punctuation."""
    after_field = False
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup if match.lastgroup != "star" else "phrase"
        if kind in ("open", "close", "minus"):
            yield _Token(kind, "")
        elif kind == "field":
            yield _Token(kind, match["field"])
        elif kind == "phrase" and (after_field or _has_word(match["phrase"])):
            yield _Token("word", match["phrase"], bool(match["star"]))
        elif kind == "word" and match["word"] in ("AND", "OR", "NOT") and not after_field:
            yield _Token(match["word"], "")
        elif kind == "word" and (after_field or _has_word(match["word"])):
            yield _Token("word", match["word"].rstrip("*"), match["word"].endswith("*"))
        after_field = kind == "field"


def _has_word(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


def _wrong(what: str) -> Failure:
    return Failure(
        Code.USAGE, f"query: {what}", advice="""Example: from:ada (tea OR "black coffee") -milk date:2025-01.."""
    )
