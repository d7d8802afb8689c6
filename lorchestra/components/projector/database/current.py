"""Which revision of an object is the current one: that of the latest file that holds it, there the last line.

An object that no file contains any more is retired, not deleted. It is current again when a file contains it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import apsw

from lorchestra.components.projector.database import metadata_db
from lorchestra.components.projector.database.rows import CURRENT, FORMER, RETIRED

_REVISIONS = """
    SELECT no, state, (
        SELECT max(printf('%s/%012d', file.date, holding.line)) FROM holding JOIN file ON file.no = holding.file
        WHERE holding.object = object.no)
    FROM object WHERE id = ? ORDER BY revision"""


def update_states(connection: apsw.Connection, ids: Iterable[bytes]) -> Counter[str]:
    """Set the state of all revisions of these objects; count `retired` and `returned` ones."""
    counts: Counter[str] = Counter()
    for identity in sorted(ids):
        counts.update(_update_states(connection, metadata_db.rows(connection, _REVISIONS, (identity,))))
    return counts


def _update_states(connection: apsw.Connection, revisions: list[tuple[int, int, str | None]]) -> list[str]:
    held = [(rank, no) for no, _, rank in revisions if rank is not None]
    if held:
        chosen, state = max(held)[1], CURRENT
    else:  # the one that was current, or was retired before
        chosen, state = max(revisions, key=lambda row: (row[1] != FORMER, row[0]))[0], RETIRED
    before = {state for _, state, _ in revisions}
    for no, old, _ in revisions:
        new = state if no == chosen else FORMER
        if new != old:
            connection.execute("UPDATE object SET state = ? WHERE no = ?", (new, no))
    if state == RETIRED and CURRENT in before:
        return ["retired"]
    return ["returned"] if state == CURRENT and RETIRED in before else []
