"""doit's dependency store: a cache that may be thrown away.

What a target was made from stands in the receipt beside it. Here lie the signatures that spare the hashing, the counts
of the last success, and what the user said with `doit forget` and `doit ignore`: one small JSON file, read in one
piece, replaced whole. A kill can lose its last changes, which costs some hashing, and can never leave half of it. It
begins with a digest of the rest: what anybody else wrote there is taken for nothing.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lorchestra.storage import private

FILE = "tasks.json"
_FORMAT = "lorchestra.tasks/2"
_FORGOTTEN = "forgotten"
_IGNORED = "ignore:"  # doit's own key
_JUDGED_ELSEWHERE = ""
_SEAL = b'{"sha256":"%s",'
_SEALED = len(_SEAL % (b"0" * 64))
_NOT_KEPT = frozenset({"deps:", "checker:", "result:"})


class TaskStore:
    """Rows by task name, with the interface of `doit.dependency.JsonDB`, and notes of ours."""

    desc = "one JSON file with its digest, replaced whole"

    def __init__(
        self, name: str, codec: object = None, module_name: str | None = None, *, trusted: bool = True
    ) -> None:
        """Open the store at path `name`; doit passes the other two. One that is not `trusted` or readable is empty."""
        self.name = name
        self._rows: dict[str, dict[str, Any]] = {}
        self._notes: dict[str, Any] = {}
        self._changed = False
        if trusted:
            self._read()

    def get(self, task_id: str, dependency: str) -> Any:
        """A value of a task's row, None where there is none.

        A path asks for the state of a dependency. It has one, always the same: the receipts judge it.
        """
        if dependency.startswith("/"):
            return _JUDGED_ELSEWHERE
        return self._rows.get(task_id, {}).get(dependency)

    def set(self, task_id: str, dependency: str, value: Any) -> None:
        """Set a value of a task's row. The row counts as remembered again.

        doit's own memory of dependencies is not kept: the receipts have a better one.
        """
        if dependency in _NOT_KEPT:
            return
        if dependency == _IGNORED:
            self._drop_note(task_id)
        row = self._rows.setdefault(task_id, {})
        if row.get(dependency) != value or _FORGOTTEN in row:
            row.pop(_FORGOTTEN, None)
            row[dependency] = value
            self._changed = True

    def in_(self, task_id: str) -> bool:
        """Whether there is a row."""
        return task_id in self._rows and _FORGOTTEN not in self._rows[task_id]

    def remove(self, task_id: str) -> None:
        """Forget a task: it will run again even if its receipt says that it need not."""
        self._rows[task_id] = {_FORGOTTEN: True}
        self._drop_note(task_id)
        self._changed = True

    def remove_all(self) -> None:
        """Forget every task, those without a row included."""
        self._rows.clear()
        self._notes = {_FORGOTTEN: True}
        self._changed = True

    def forgotten(self, task_id: str) -> bool:
        """Whether a task was forgotten, or failed, since its last success."""
        row = self._rows.get(task_id)
        return _FORGOTTEN in (self._notes if row is None else row)

    def note(self, name: str) -> Any:
        """A note of ours, None where there is none."""
        return self._notes.get(name)

    def write_note(self, name: str, value: Any) -> None:
        """Keep a note."""
        if self._notes.get(name) != value:
            self._notes[name] = value
            self._changed = True

    def _drop_note(self, task_id: str) -> None:
        """No note may say that all of a stage is done after the user, or a failure, spoke of one of its tasks."""
        self._notes.pop(task_id.partition(":")[0], None)

    def dump(self) -> None:
        """Write what changed."""
        if not self._changed:
            return
        path = Path(self.name)
        private.make_directory(path.parent)
        document = {"format": _FORMAT, "tasks": self._rows, "notes": self._notes}
        content = json.dumps(document, separators=(",", ":")).encode("ascii")[1:]
        private.write(path, _seal(content) + content, durable=False)
        self._changed = False

    def _read(self) -> None:
        try:
            content = Path(self.name).read_bytes()
        except OSError:
            return
        if content[:_SEALED] == _seal(content[_SEALED:]) and (document := json.loads(content))["format"] == _FORMAT:
            self._rows, self._notes = document["tasks"], document["notes"]


def _seal(content: bytes) -> bytes:
    return _SEAL % hashlib.sha256(content).hexdigest().encode("ascii")
