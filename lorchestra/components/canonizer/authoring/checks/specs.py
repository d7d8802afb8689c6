"""The findings of one spec in branches that no golden test reaches: undefined names and invalid regular expressions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from difflib import get_close_matches

from lorchestra.base.errors import Failure
from lorchestra.components.canonizer.authoring import tokens
from lorchestra.components.canonizer.authoring.checks import Finding
from lorchestra.components.canonizer.authoring.tokens import BUILT_IN, Kind, Token
from lorchestra.components.canonizer.record import engines, functions, places
from lorchestra.components.canonizer.record.engines import Engine, EvaluationFault, SyntaxFault
from lorchestra.components.canonizer.registry.transforms import Transform
from lorchestra.components.canonizer.workers.child import Bounded, Died

_KNOWN = BUILT_IN | {*functions.NAMES, "source"}


def check(transform: Transform) -> Iterator[Finding]:
    """The findings of a spec that compiles."""
    for token in tokens.undefined(transform.spec, _KNOWN):
        near = get_close_matches(token.text[1:], _KNOWN, n=1)
        hint = f"; did you mean ${near[0]}?" if near else ""
        yield _finding(transform, token, "name", f"{token.text} is not defined{hint}")
    for token in _invalid(transform):
        yield _finding(transform, token, "regex", f"{token.text[:60]} is not a regular expression of this engine")


def _invalid(transform: Transform) -> list[Token]:
    """The regular expressions that the engine refuses, tried in a process of their own."""
    found = [token for token in tokens.tokens(transform.spec) if token.kind is Kind.REGEX]
    try:
        engine = engines.load(transform.meta.engine or engines.DEFAULT)
    except Failure:
        return []
    with closing(Bounded(lambda number: _accepts(engine, found[number].text))) as accepts:
        return [token for number, token in enumerate(found) if not _asked(accepts, number)]


def _asked(accepts: Bounded, number: int) -> bool:
    try:
        return bool(accepts(number))
    except Died:
        return False


def _accepts(engine: Engine, regex: str) -> bool:
    try:
        engine.compile(f'$match("", {regex})', {})("{}")
    except (SyntaxFault, EvaluationFault):
        return False
    return True


def _finding(transform: Transform, token: Token, rule: str, message: str) -> Finding:
    line, column = places.line_and_column(transform.spec, token.position)
    return Finding(transform.spec_path, line, rule, f"column {column}: {message}")
