"""The directories of one pipeline, for tests of its first stage."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lorchestra.history.log import Log
from lorchestra.planning.config import Retry, Source
from lorchestra.stages.extract.extraction import extract
from lorchestra.stages.extract.result import SourceResult

NAME = "gmail-messages-acct1"
RAW = f"{NAME}-20251112.jsonl"
CANARY = "PHI-Canary-7f3a"


@dataclasses.dataclass
class Harness:
    """The directories of one pipeline, and a way to extract a source."""

    root: Path
    slept: list[float] = dataclasses.field(default_factory=list)
    counted: list[tuple[str, int]] = dataclasses.field(default_factory=list)

    @property
    def raw(self) -> Path:
        return self.root / "phi" / "raw"

    @property
    def work(self) -> Path:
        return self.root / "phi" / ".work"

    def run(self, source: Source, retry: Retry | None = None) -> SourceResult:
        return extract(
            source,
            raw_dir=self.raw,
            work_dir=self.work,
            retry=retry or Retry(enabled=False),
            date="20251112",
            log=Log(self.root / "logs", "run-1"),
            sleep=self.slept.append,
            progress=lambda name, records: self.counted.append((name, records)),
        )

    def program(self, script: str, **settings: Any) -> Source:
        """A `type: command` source whose program is this Python script; it appends one line to `count` per start."""
        counted = f"""
            import json, os, signal, sys, time
            from pathlib import Path
            out, name = Path(os.environ["LORCHESTRA_OUTPUT"]), os.environ["LORCHESTRA_SOURCE"]
            target = out / f"{{name}}-{{os.environ['LORCHESTRA_DATE']}}.jsonl"
            with open({str(self.root / "count")!r}, "a") as count: count.write("x\\n")
            attempt = len(open({str(self.root / "count")!r}).readlines())
            def put(*records):
                with target.open("a") as file:
                    file.writelines(json.dumps(record) + "\\n" for record in records)
        """
        path = self.root / "program.py"
        path.write_text(textwrap.dedent(counted) + textwrap.dedent(script))
        return Source(NAME, "command", {"command": [sys.executable, str(path)], **settings})

    def records(self, name: str = RAW) -> list[Any]:
        return [json.loads(line) for line in (self.raw / name).read_bytes().splitlines()]

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for log in (self.root / "logs").iterdir() for line in log.read_bytes().splitlines()]

    def event(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(event["metadata"] for event in self.events() if event["event"] == name)
        return found

    def staged(self, source: str = NAME) -> list[Path]:
        return list((self.work / "staging" / source).iterdir())


@contextlib.contextmanager
def open_harness(root: Path) -> Iterator[Harness]:
    """A harness. Afterwards, every file in it must have been created private."""
    old = os.umask(0o077)
    for name in ("phi/raw", "phi/.work", "logs"):
        (root / name).mkdir(parents=True)
    yield Harness(root)
    os.umask(old)
    for path in (root / "phi").rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert path.is_symlink() or mode == (0o700 if path.is_dir() else 0o600), path
