"""A Meltano project for tests: one stub tap for several accounts, one stub target, a server that is a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorchestra.planning.config import Retry, Source
from lorchestra.stages.extract.result import SourceResult
from tests.stages.harness import Harness

PLUGINS = Path(__file__).parent / "plugins"
ACCOUNTS = ("gmail-messages-acct1", "gmail-messages-acct2")
TOKEN = "Secret-Token-51c2"

MELTANO_YML = """
project_id: 5f0c3c1a-7f5e-4a61-9f3b-4d2f6f1f0a01
default_environment: test
elt: {{buffer_size: 1048576}}
environments:
- name: test
plugins:
  extractors:
  - name: tap-stub
    namespace: tap_stub
    executable: {root}/tap-stub
    capabilities: [catalog, discover, state]
    settings:
    - name: server
    - name: since.number
    - name: plan
    - name: token
      kind: password
    config:
      server: {root}/server.jsonl
      plan: {root}/plan
      token: $STUB_TOKEN
  - name: gmail-messages-acct1
    inherit_from: tap-stub
  - name: gmail-messages-acct2
    inherit_from: tap-stub
    config:
      plan: {root}/plan2
  loaders:
  - name: target-jsonl
    namespace: target_jsonl
    executable: {root}/target-stub
    settings:
    - name: destination_path
    - name: custom_name
    - {{name: do_timestamp_file, kind: boolean}}
  - name: target-jsonl--pypi
    inherit_from: target-jsonl
    executable: {root}/target-pypi
  - name: target-lorchestra
    namespace: target_lorchestra
    executable: {root}/target-lorchestra
jobs:
- name: ingest-all-accounts
  tasks:
  - gmail-messages-acct1 target-jsonl
  - [gmail-messages-acct2 target-jsonl]
"""


RUN = """
import json, sys
from pathlib import Path
from lorchestra.base import program
from lorchestra.history.log import Log
from lorchestra.planning.config import Retry, Source
from lorchestra.stages.extract.extraction import extract
root, name, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
def body():
    result = extract(Source(name, "meltano", settings), raw_dir=root / "phi/raw", work_dir=root / "phi/.work",
                     retry=Retry(), date="20251112", log=Log(root / "logs", "run-2"))
    return result.code.exit if result.code else 0
sys.exit(program.run("run", body))
"""


@dataclass
class Project:
    """A project, its server and the harness that its records go to."""

    harness: Harness
    venv: Path
    root: Path
    loader: str = "target-jsonl"
    records: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def create(cls, harness: Harness, venv: Path, loader: str = "target-jsonl") -> Project:
        root = harness.root / "meltano"
        root.mkdir()
        (root / "meltano.yml").write_text(textwrap.dedent(MELTANO_YML.format(root=root)))
        (root / ".env").write_text(f"STUB_TOKEN={TOKEN}\n")
        here = Path(sys.executable).parent
        programs = {
            "tap-stub": f"{sys.executable} -P {PLUGINS}/tap_stub.py",
            "target-stub": f"{sys.executable} -P {PLUGINS}/target_stub.py",
            "target-lorchestra": str(here / "target-lorchestra"),
            "target-pypi": str(venv / "target-jsonl" / "bin" / "target-jsonl"),
        }
        for name, program in programs.items():
            faults = f"{sys.executable} -P {PLUGINS}/faulty_loader.py {root}/loader-plan " if "target" in name else ""
            (root / name).write_text(f'#!/bin/sh\nexec {faults}{program} "$@"\n')
            (root / name).chmod(0o755)
        project = cls(harness, venv, root, loader)
        project.receive(range(1, 7))
        return project

    def receive(self, numbers: Iterable[int], word: str = "PHI-Canary-7f3a") -> None:
        """New records reach the server; every one holds a word to search for."""
        self.records += [{"id": f"m{n}", "n": n, "subject": f"{word}-{n}"} for n in numbers]
        self.serve(self.records)

    def serve(self, records: list[dict[str, Any]]) -> None:
        (self.root / "server.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))

    def plan(self, *words: str, account: str = "", loader: str = "") -> None:
        """What goes wrong in the coming runs, first to last; `loader`: what goes wrong with the loader of the next."""
        (self.root / f"plan{account}").write_text(" ".join(words))
        (self.root / "loader-plan").write_text(loader)

    def source(self, name: str = ACCOUNTS[0], **settings: Any) -> Source:
        fixed = {"repo_path": str(self.root), "venv_path": str(self.venv), "loader": self.loader}
        return Source(name, "meltano", fixed | settings)

    def run(self, attempts: int = 1, **settings: Any) -> SourceResult:
        """One run of the first account, with up to so many attempts that do not wait."""
        return self.harness.run(self.source(**settings), Retry(enabled=True, max_attempts=attempts, backoff_seconds=0))

    def settle(self) -> SourceResult:
        """A run in which nothing goes wrong; then the raw file holds exactly the server's records."""
        self.plan()
        result = self.run()
        assert (result.code, result.message) == (None, ""), self.log(result)
        assert sorted(self.harness.records(), key=lambda record: record["n"]) == self.records
        assert self.harness.staged() == []
        self.check_privacy()
        return result

    def check_privacy(self) -> None:
        """Nothing of a record outside the PHI directories, and no credentials left behind."""
        mine = {self.root / "server.jsonl", self.root / ".env"}
        for directory, _, files in os.walk(self.harness.root):
            for path in (Path(directory) / name for name in files):
                if path in mine or self.harness.root / "phi" in path.parents:
                    continue
                content = path.read_bytes()
                assert b"PHI-Canary" not in content, path
                assert TOKEN.encode() not in content, path

    def begin(self, *plan: str) -> subprocess.Popen[bytes]:
        """A run in a process of its own."""
        self.plan(*plan)
        settings = json.dumps(self.source().settings)
        return subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.harness.root), ACCOUNTS[0], settings], stderr=subprocess.DEVNULL
        )

    def start(self, *plan: str) -> subprocess.Popen[bytes]:
        """A run in a process of its own, which has written its first record."""
        run = self.begin(*plan)
        deadline = time.monotonic() + 60
        while not list((self.harness.work / "staging").glob("*/*/*")):
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        return run

    def credentials(self) -> list[Path]:
        """The files in which Meltano hands credentials to its plugins."""
        return [path for path in self.harness.root.rglob("*.config.json") if path.is_file()]

    @staticmethod
    def log(result: SourceResult) -> str:
        return result.child_log.read_text() if result.child_log else ""
