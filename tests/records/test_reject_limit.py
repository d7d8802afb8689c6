"""The limit on rejected records: a number or a share."""

from __future__ import annotations

import pytest

from lorchestra.records.reject_limit import Limit, exceeds


@pytest.mark.parametrize(
    ("limit", "rejected", "records_in", "exceeded"),
    [
        (None, 9, 9, False),
        (0, 0, 0, False),
        (0, 1, 9, True),
        (2, 2, 2, False),
        (2, 3, 9, True),
        ("5%", 3, 60, False),
        ("5%", 4, 60, True),
        ("0%", 0, 9, False),
        ("0%", 1, 9, True),
        ("0.1%", 1, 1000, False),
        ("0.1%", 1, 999, True),
        ("100%", 9, 9, False),
        ("5%", 0, 0, False),
    ],
)
def test_a_limit(limit: Limit, rejected: int, records_in: int, exceeded: bool) -> None:
    assert exceeds(limit, rejected, records_in) is exceeded
