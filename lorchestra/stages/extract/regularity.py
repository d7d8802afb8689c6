"""Which of a source's recent runs delivered records, so that a source that falls silent is noticed.

The file holds one character a run, oldest first: 1 if the run delivered records, 0 if it delivered nothing.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from lorchestra.base.errors import Failure
from lorchestra.storage import private

_REMEMBERED = 10
_ENOUGH = 5
"""With fewer runs nothing is usual yet."""
_USUAL = 0.8
"""A mailbox that is empty every other day is not worth a warning."""


def note(path: Path, *, delivered: bool) -> str:
    """Note how a run ended; return a warning if it delivered nothing although most runs before it did."""
    before = _read(path)
    with contextlib.suppress(Failure, OSError):  # a run that delivered does not fail for the sake of this note
        private.make_directory(path.parent)
        private.write(path, (before + "01"[delivered])[-_REMEMBERED:].encode(), durable=False)
    count = before.count("1")
    if delivered or len(before) < _ENOUGH or count < _USUAL * len(before):
        return ""
    return f"delivered nothing; {count} of its last {len(before)} runs delivered records"


def _read(path: Path) -> str:
    """The runs before; a file that is missing or damaged tells nothing."""
    try:
        text = path.read_bytes()[-_REMEMBERED:].decode("ascii", "replace")
    except OSError:
        return ""
    return "" if text.strip("01") else text
