"""What makes two records the same object, and what makes a change."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorchestra.components.projector.objects import identity

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(string.printable, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def object_id(kind: str, record: dict[str, Any], key: list[str]) -> bytes:
    return identity.object_id(kind, record, key, identity.fingerprint(record, ()))


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=5), st.randoms())
def test_the_order_of_keys_is_no_change(record: dict[str, Any], random: Any) -> None:
    keys = list(record)
    random.shuffle(keys)
    again = json.loads(json.dumps({key: record[key] for key in keys}, indent=3))
    assert identity.fingerprint(again, ()) == identity.fingerprint(record, ())


def test_a_volatile_field_is_no_change_and_any_other_is() -> None:
    before = identity.fingerprint({"a": 1, "labels": ["x"]}, {"labels"})
    assert identity.fingerprint({"a": 1, "labels": []}, {"labels"}) == before
    assert identity.fingerprint({"a": 2, "labels": ["x"]}, {"labels"}) != before


def test_the_key_names_the_object_whatever_else_changes() -> None:
    one = object_id("email", {"m": "1", "x": 1}, ["m"])
    assert object_id("email", {"m": "1", "x": 2}, ["m"]) == one
    assert object_id("email", {"m": "2", "x": 1}, ["m"]) != one
    assert object_id("contact", {"m": "1", "x": 1}, ["m"]) != one
    assert object_id("email", {"m": 1}, ["m"]) != one


def test_values_of_a_key_do_not_run_together() -> None:
    assert object_id("t", {"a": "1", "b": "23"}, ["a", "b"]) != object_id("t", {"a": "12", "b": "3"}, ["a", "b"])


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_without_a_usable_key_the_content_is_the_key(value: Any) -> None:
    assert object_id("t", {"k": value, "x": 1}, ["k"]) != object_id("t", {"k": value, "x": 2}, ["k"])
    assert object_id("t", {"k": value, "x": 1}, ["k"]) == object_id("t", {"k": value, "x": 1}, ["k"])
    assert object_id("t", {"x": 1}, []) != object_id("u", {"x": 1}, [])


def test_false_and_zero_are_values_of_a_key() -> None:
    assert object_id("t", {"k": 0, "x": 1}, ["k"]) == object_id("t", {"k": 0, "x": 2}, ["k"])
    assert object_id("t", {"k": False, "x": 1}, ["k"]) == object_id("t", {"k": False, "x": 2}, ["k"])


def test_the_id_is_what_the_documentation_says() -> None:
    import hashlib

    expected = hashlib.sha256(b'email\0["<1@x>"]').digest()[:16]
    assert object_id("email", {"m": "<1@x>"}, ["m"]) == expected
