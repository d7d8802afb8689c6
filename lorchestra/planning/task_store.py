"""doit's dependency store: a cache that can be deleted at any time.

What a target was built from is recorded in its lineage. This store holds the signatures that save hashing, the values
of the last success, and what the user asked for with `doit forget` and `doit ignore`. It is one small JSON file, read
at once and replaced as a whole. A kill can lose the last changes, which costs some hashing, but never leaves half a
file. The file begins with a digest of the rest: a file that something else wrote is ignored.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lorchestra.storage import private

FILE = "tasks.json"
_FORMAT = "lorchestra.tasks/3"
FAILED, FORGOTTEN = "failed last time", "marked for rebuild (doit forget)"
_REMOVED = "removed"
_LATE = "_late_"  # before the names of the tasks of a second round
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
        self._is_run = False
        if trusted:
            self._read()

    def begin_run(self) -> None:
        """From now on doit removes a task because it failed, not because the user said `doit forget`."""
        self._is_run = True

    def get(self, task_id: str, dependency: str) -> Any:
        """A value of a task's row; None if there is none.

        A path asks for the state of a dependency. That is always the same, because the lineage decides.
        """
        if dependency.startswith("/"):
            return _JUDGED_ELSEWHERE
        if dependency == _IGNORED and self._is_run:
            return None  # doit would also skip every task that waits for an ignored one; see Pipeline
        return self._rows.get(task_id.removeprefix(_LATE), {}).get(dependency)

    def set(self, task_id: str, dependency: str, value: Any) -> None:
        """Set a value of a task's row, which also ends that the task is marked as failed or forgotten.

        What doit remembers about dependencies is not kept: the lineage knows more.
        """
        task_id = task_id.removeprefix(_LATE)
        if dependency in _NOT_KEPT:
            return
        if dependency == _IGNORED:
            self._drop_note(task_id)
        row = self._rows.setdefault(task_id, {})
        if row.get(dependency) != value or _REMOVED in row:
            row.pop(_REMOVED, None)
            row[dependency] = value
            self._changed = True

    def in_(self, task_id: str) -> bool:
        """Whether there is a row."""
        return _REMOVED not in self._rows.get(task_id.removeprefix(_LATE), {_REMOVED: FORGOTTEN})

    def remove(self, task_id: str) -> None:
        """Mark a task as failed or forgotten: it runs again even if its lineage matches. Its last values are kept."""
        task_id = task_id.removeprefix(_LATE)
        row = self._rows.setdefault(task_id, {})
        row.pop(_IGNORED, None)
        row[_REMOVED] = FAILED if self._is_run else FORGOTTEN
        self._drop_note(task_id)
        self._changed = True

    def remove_all(self) -> None:
        """Mark every task as forgotten, also those without a row."""
        self._rows.clear()
        self._notes = {_REMOVED: FORGOTTEN}
        self._changed = True

    def removed(self, task_id: str) -> str | None:
        """FAILED or FORGOTTEN, if a task was marked as such since its last success."""
        row = self._rows.get(task_id)
        reason: str | None = (self._notes if row is None else row).get(_REMOVED)
        return reason

    def ignored(self, task_id: str) -> bool:
        """Whether the user said `doit ignore`."""
        return bool(self._rows.get(task_id, {}).get(_IGNORED))

    @property
    def all_ignored(self) -> list[str]:
        """The tasks that the user told doit to ignore."""
        return sorted(name for name in self._rows if self.ignored(name))

    def note(self, name: str) -> Any:
        """A note of the pipeline; None if there is none."""
        return self._notes.get(name)

    def write_note(self, name: str, value: Any) -> None:
        """Keep a note."""
        if self._notes.get(name) != value:
            self._notes[name] = value
            self._changed = True

    def _drop_note(self, task_id: str) -> None:
        """After a failure or a command about one task, no note may say that its whole stage is done."""
        self._notes.pop(task_id.partition(":")[0], None)

    def content(self) -> dict[str, Any]:
        """Everything that is kept: `tasks`, by name, and `notes`."""
        return {"tasks": self._rows, "notes": self._notes}

    def dump(self) -> None:
        """Write what changed."""
        if not self._changed:
            return
        path = Path(self.name)
        private.make_directory(path.parent)
        document = {"format": _FORMAT, **self.content()}
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
