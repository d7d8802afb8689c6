"""Where two JSON values differ, path by path."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorchestra.components.canonizer.authoring.differences import NOTHING, differences, shown

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("expected", "found", "lines"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["/a: expected 1, found true"]),
        ({"a": None}, {}, ["/a: expected null, found nothing"]),
        ({}, {"a/b": {"c~d": 1}}, ['/a~1b: expected nothing, found {"c~d": 1}']),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, ["/a/1: expected 2, found 3", "/a/2: expected nothing, found 4"]),
        ([], {}, ["/: expected [], found {}"]),
        ({"ü": "é"}, {"ü": "e"}, ['/ü: expected "\\u00e9", found "e"']),
    ],
)
def test_differences_are_reported_by_path(expected: Any, found: Any, lines: list[str]) -> None:
    assert [str(difference) for difference in differences(expected, found)] == lines


def test_a_long_value_is_cut() -> None:
    assert len(shown("x" * 100_000)) < 400
    assert shown(NOTHING) == "nothing"


@given(VALUES)
def test_a_value_does_not_differ_from_its_copy(value: Any) -> None:
    assert not list(differences(value, deepcopy(value)))


@given(VALUES, VALUES)
def test_values_that_are_not_the_same_json_differ(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert same == (not list(differences(one, other)))
