"""The names and regular expressions in a JSONata source, found without evaluating it.

The lexer follows the reference implementation: after a value `/` divides, elsewhere it begins a regular expression.
https://docs.jsonata.org/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

BUILT_IN = frozenset({
    "abs", "append", "assert", "average", "base64decode", "base64encode", "boolean", "ceil", "clone", "contains",
    "count", "decodeUrl", "decodeUrlComponent", "distinct", "each", "encodeUrl", "encodeUrlComponent", "error",
    "eval", "exists", "filter", "floor", "formatBase", "formatInteger", "formatNumber", "fromMillis", "join",
    "keys", "length", "lookup", "lowercase", "map", "match", "max", "merge", "millis", "min", "not", "now",
    "number", "pad", "parseInteger", "power", "random", "reduce", "replace", "reverse", "round", "shuffle", "sift",
    "single", "sort", "split", "spread", "sqrt", "string", "substring", "substringAfter", "substringBefore", "sum",
    "toMillis", "trim", "type", "uppercase", "zip",
})  # fmt: skip
"""JSONata's own functions, without `$`."""

_PARTS = re.compile(
    r"""(?P<space>\s+|/\*.*?\*/)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<quoted>`[^`]*`)
    |(?P<variable>\$[\w$]*)
    |(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
    |(?P<name>[^\W\d]\w*)
    |(?P<operator>:=|\.\.|~>|!=|<=|>=|\*\*|\?\?|\?:|.)""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = frozenset({"and", "or", "in"})
_WILDCARDS = frozenset({"*", "**", "%"})
"""Operators between values; where a value is expected: any field, any descendant, the parent."""


class Kind(Enum):
    """What a token is. NAME is a field, a literal such as `true`, or `function`."""

    VARIABLE = auto()
    NAME = auto()
    VALUE = auto()
    REGEX = auto()
    OPERATOR = auto()


class Token(NamedTuple):
    """A piece of a source; `position` counts characters from 0."""

    kind: Kind
    text: str
    position: int


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a valid source, without white space and comments."""
    at = 0
    value_next = True
    while at < len(source):
        if value_next and source[at] == "/" and source[at + 1 : at + 2] != "*":
            token = Token(Kind.REGEX, _regex(source, at), at)
        else:
            match = _PARTS.match(source, at)
            assert match is not None  # the last alternative takes any character
            if match.lastgroup == "space":
                at = match.end()
                continue
            token = Token(_kind(match, value_next), match[0], at)
        yield token
        at += len(token.text)
        value_next = token.kind is Kind.OPERATOR and token.text not in (")", "]", "}")


def undefined(source: str, known: frozenset[str]) -> Iterator[Token]:
    """The variables and functions of a source that neither it nor `known` (names without `$`) defines."""
    found = list(tokens(source))
    defined = {token.text for token in _defined(found)}
    for token in found:
        name = token.text[1:]
        if token.kind is Kind.VARIABLE and name.strip("$") and name not in known and token.text not in defined:
            yield token


def _defined(found: list[Token]) -> Iterator[Token]:
    in_parameters = False
    for before, token, after in zip([None, *found], found, [*found[1:], None], strict=False):
        if token.text == "(":
            in_parameters = before is not None and before.kind is Kind.NAME and before.text in ("function", "λ")
        elif token.text == ")":
            in_parameters = False
        elif token.kind is Kind.VARIABLE:
            assigned = after is not None and after.text == ":="
            bound = before is not None and before.text in ("@", "#")
            if assigned or bound or in_parameters:
                yield token


def _kind(match: re.Match[str], value_next: bool) -> Kind:
    if match.lastgroup == "variable":
        return Kind.VARIABLE
    if match.lastgroup == "name":
        return Kind.OPERATOR if match[0] in _WORDS and not value_next else Kind.NAME
    if match.lastgroup == "operator" and not (value_next and match[0] in _WILDCARDS):
        return Kind.OPERATOR
    return Kind.VALUE


def _regex(source: str, start: int) -> str:
    """A regular expression with its flags. Inside brackets of any kind `/` does not end it."""
    depth = 0
    at = start + 1
    while at < len(source):
        character = source[at]
        if character == "\\":
            at += 1
        elif character == "/" and depth == 0:
            break
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        at += 1
    end = at + 1
    while source[end : end + 1] in ("i", "m"):
        end += 1
    return source[start:end]
