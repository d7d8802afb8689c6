"""Places in a spec, as its author reads them."""

from __future__ import annotations

import pytest

from lorchestra.components.canonizer.record import places

SPEC = "{\n  'é': $number(a),\n  'b': x := 1\n}"


@pytest.mark.parametrize(
    ("text", "place"),
    [("{", "1:1 {"), ("number", "2:8 $number"), ("$number", "2:8 $number"), (":=", "3:10 :="), ("x", "3:8 x")],
)
def test_a_place_is_line_column_and_token(text: str, place: str) -> None:
    assert places.place(SPEC, SPEC.index(text)) == place


def test_the_end_has_no_token_and_beyond_it_there_is_no_place() -> None:
    assert places.place(SPEC, len(SPEC)) == "4:2"
    assert places.place(SPEC, len(SPEC) + 1) is None
    assert places.place(SPEC, -1) is None
