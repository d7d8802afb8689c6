"""`type: mailbox`: mail in files, such as a Google Takeout or an export from Thunderbird or Apple Mail."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorchestra.base.errors import Code, Failure
from lorchestra.base.wording import counted
from lorchestra.process import programs, runner
from lorchestra.stages.extract.sources.attempt import Attempt, AttemptResult, how_it_ended
from lorchestra.stages.extract.sources.source_type import SourceType
from lorchestra.stages.extract.staging import Published
from lorchestra.storage import private

_WARNINGS = {
    "ignored": "{} without mail ignored",
    "unreadable": "{} without a header, or too large, ignored",
    "shortened": "{} recorded without a text of more than 16 MiB",
}
_NOUNS = {"ignored": "file", "unreadable": "message", "shortened": "message"}


class Mailbox(SourceType):
    """Runs `lorchestra-mailbox`, which reads the files that changed since the last run whose records were published."""

    key = ("id",)
    has_full_refresh = True

    def attempt(self, task: Attempt) -> AttemptResult:
        """Read a mailbox. Raises Failure(MISSING | INSECURE | COMPONENT_MISSING).

        Names are passed in the environment, because every user of the machine can read the arguments of programs.
        """
        path = Path(task.settings["path"])
        _check(path)
        seen, report = task.private / "mailbox.json", task.scratch / "report.json"
        # Relative to the working directory: the absolute paths name the source.
        known, counted_to = (os.path.relpath(file, task.scratch) for file in (seen, report))
        argv = [str(programs.find("lorchestra-mailbox")), f"--report={counted_to}"]
        if not (task.source.window and task.source.window.full_refresh):
            argv.append(f"--seen={known}")
        names = {
            "LORCHESTRA_MAILBOX": str(path),
            "LORCHESTRA_SOURCE": task.source.name,
            "LORCHESTRA_OUTPUT": str(task.output),
        }
        env = runner.environment(**names)
        finished = task.run(argv, cwd=task.scratch, env=env, on_line=lambda line: _progress(task, line))
        if code := runner.code(finished, Code.SOURCE_FAILED):
            return AttemptResult(code, how_it_ended("lorchestra-mailbox", finished), log=finished.log)
        content = report.read_bytes()
        counts = json.loads(content)

        def published(published: Published) -> None:
            if published.safe:
                private.write(seen, content)

        return AttemptResult(
            warning=_warning(counts), log=finished.log, waiting=counts["waiting"], published=published, complete=True
        )


def _check(path: Path) -> None:
    """A mailbox holds PHI: it must exist and be closed to others."""
    if not path.exists():
        raise Failure(Code.MISSING, f"{path}: no such mailbox")
    status = path.stat()
    if status.st_mode & 0o077:
        advice = f"Run: chmod -R go-rwx {shlex.quote(str(path))}"
        raise Failure(Code.INSECURE, f"{path}: others can read the mailbox", advice=advice)


def _progress(task: Attempt, line: bytes) -> None:
    word, _, count = line.partition(b" ")
    if word == b"messages" and count.isdigit():
        task.progress(int(count))


def _warning(counts: Mapping[str, Any]) -> str:
    found = [text.format(counted(counts[name], _NOUNS[name])) for name, text in _WARNINGS.items() if counts[name]]
    return "; ".join(found)
