"""How many records of a canonical file may be rejected before the file fails: `max_rejects`."""

from __future__ import annotations

from typing import TypeAlias

Limit: TypeAlias = int | str | None
"""A number of records, a share of them such as "2.5%", or None for any number."""


def exceeds(limit: Limit, rejected: int, records_in: int) -> bool:
    """Whether more records were rejected than a limit allows."""
    if isinstance(limit, str):
        from fractions import Fraction  # exact: 5% of 60 is 3

        return rejected * 100 > Fraction(limit.removesuffix("%")) * records_in
    return limit is not None and rejected > limit
