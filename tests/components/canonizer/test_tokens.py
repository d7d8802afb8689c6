"""The lexer that finds names and regular expressions in a spec."""

from __future__ import annotations

import pytest

from lorchestra.components.canonizer.authoring.tokens import BUILT_IN, Kind, tokens, undefined


@pytest.mark.parametrize(
    ("source", "regexes"),
    [
        ("a / b / c", []),
        ("a.*/2", []),
        ("(*/2)", []),
        ("%.a / 3", []),
        ("$f(1) / 2", []),
        ("a[0] / b", []),
        (r"$replace(a, /x\/[/]y/i, '') / 2", [r"/x\/[/]y/i"]),
        ("b in /c/ ? /a/ : /d/im", ["/c/", "/a/", "/d/im"]),
        ("{'a': /b(c/d)/}", ["/b(c/d)/"]),
        ("/* /not/ */ a ~> /b/", ["/b/"]),
        ('\'/a/\' & `/b/` & "/c\\"/"', []),
    ],
)
def test_a_slash_divides_after_a_value_and_begins_a_regular_expression_elsewhere(
    source: str, regexes: list[str]
) -> None:
    assert [token.text for token in tokens(source) if token.kind is Kind.REGEX] == regexes


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("$lenght(a)", ["$lenght"]),
        ("$f := function($x, $y)<s-n:s>{$x & $y}; $f(1)", []),
        ("λ($x){$x}(1) & $x", []),  # defined somewhere: scopes are not followed
        ("a@$v.b#$i[$v = $i]", []),
        ("a ~> $missing", ["$missing"]),
        ("$map(a, $sum) & $.b & $$.c", []),
        ("/* $no */ '$no' & `$no`", []),
        ("$f(1); $f := 2", []),
    ],
)
def test_names_that_nothing_defines_are_found(source: str, names: list[str]) -> None:
    assert [token.text for token in undefined(source, BUILT_IN)] == names
