"""Path arithmetic: a truth table, and that names go out and come back."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorchestra.components.projector.objects import layout
from lorchestra.components.projector.objects.layout import ObjectName, Store

ID = bytes.fromhex("AABCDEF1234567890000000000000001")
HEX = "AABCDEF1234567890000000000000001"

PATHS = {
    ObjectName("email", ID, 1): f"objects/AA/BC/email_{HEX}.json",
    ObjectName("email", ID, 2): f"objects/AA/BC/email_{HEX}.r2.json",
    ObjectName("clinical_session", ID, 10): f"objects/AA/BC/clinical_session_{HEX}.r10.json",
}

NOT_NAMES = [
    "",
    "email.json",
    f"email_{HEX.lower()}.json",
    f"email_{HEX[:-1]}.json",
    f"email_{HEX}.r1.json",
    f"email_{HEX}.r0.json",
    f"email_{HEX}.r02.json",
    f"email_{HEX}.r2",
    f"Email_{HEX}.json",
    f"_{HEX}.json",
    f"../email_{HEX}.json",
    f"email_{HEX}.json\n",
    f".email_{HEX}.json.tmp~",
    f"email_{HEX}.purged",
]


@pytest.mark.parametrize(("name", "path"), PATHS.items())
def test_an_object_is_stored_below_the_first_four_digits_of_its_id(name: ObjectName, path: str) -> None:
    assert layout.object_path(name) == path
    assert Store(Path("/s")).object(name) == Path("/s") / path
    assert layout.parse_object(path.rpartition("/")[2]) == name


@pytest.mark.parametrize("text", NOT_NAMES)
def test_other_file_names_are_no_objects(text: str) -> None:
    assert layout.parse_object(text) is None


def test_a_tombstone_is_where_the_object_was() -> None:
    path = Store(Path("/s")).tombstone("email", ID)
    assert path == Path(f"/s/objects/AA/BC/email_{HEX}.purged")
    assert layout.parse_tombstone(path.name) == ("email", ID)
    assert layout.parse_tombstone(f"email_{HEX}.r2.purged") is None
    assert layout.parse_tombstone(f"email_{HEX}.json") is None


@given(
    st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
    st.binary(min_size=16, max_size=16),
    st.integers(1, 99_999),
)
def test_every_name_can_be_parsed(kind: str, identity: bytes, revision: int) -> None:
    name = ObjectName(kind, identity, revision)
    assert layout.parse_object(name.file) == name


@given(
    st.integers(1, layout.MOST_TYPES),
    st.dates(min_value=date(1, 1, 1), max_value=date(9999, 12, 30)),
    st.integers(0, 2**32 - 1),
)
def test_rows_sort_by_type_then_day_and_fit_into_sqlite(kind: int, day: date, sequence: int) -> None:
    no = layout.row_number(kind, day.toordinal(), sequence)
    assert 0 < no < 2**63
    assert layout.row_day(no) == day
    first, last = layout.row_range(kind, day, day)
    assert first <= no <= last
    assert layout.row_range(kind)[0] <= no <= layout.row_range(kind)[1]
    assert no < layout.row_range(kind + 1)[0]
