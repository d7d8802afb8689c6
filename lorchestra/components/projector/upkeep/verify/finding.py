"""What `verify` reports."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """A fault and where it is: a path in the store, or a row. Neither contains anything from a record."""

    fault: str
    where: str
