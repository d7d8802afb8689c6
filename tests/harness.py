"""A small pipeline in a directory of its own, run by the real programs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

PIPELINE = """
pipeline: {name: test}
stages:
  extract:
    output_dir: phi-data/meltano-extracts
    sources:
      gmail-messages-a: {type: sample, kind: gmail-messages, start: "20251110", days: 2, records: 3, seed: 1}
      exchange-messages-b: {type: sample, kind: exchange-messages, start: "20251110", days: 2, records: 3, seed: 2}
      contacts-dataverse: {type: sample, kind: dataverse-contacts, start: "20251110", days: 1, records: 2, seed: 3}
  canonize:
    output_dir: phi-data/canonical
    registry: transforms
    mappings:
      - {source_pattern: "*gmail*.jsonl", transform: email/gmail_to_canonical_v1}
      - {source_pattern: "*exchange*.jsonl", transform: email/exchange_to_canonical_v1}
      - {source_pattern: "*contacts*.jsonl", transform: contact/dataverse_contact_to_canonical_v1}
  index:
    output_dir: phi-data/vector-store
"""


class Project:
    """dodo.py, pyproject.toml, pipeline.yaml and transforms/ of the repository, with a pipeline of three sources."""

    def __init__(self, root: Path, pipeline: str = PIPELINE) -> None:
        root.mkdir(exist_ok=True)
        self._name_directories(root)
        for name in ("dodo.py", "pyproject.toml"):
            shutil.copy(ROOT / name, root / name)
        shutil.copytree(ROOT / "transforms", root / "transforms", dirs_exist_ok=True)
        self.configure(pipeline)

    def _name_directories(self, root: Path) -> None:
        self.root = root
        self.raw = root / "phi-data" / "meltano-extracts"
        self.canonical = root / "phi-data" / "canonical"
        self.store = root / "phi-data" / "vector-store"
        self.logs = root / "logs"

    def copy(self, root: Path) -> Project:
        """The same project with all that it has built, in another directory."""
        shutil.copytree(self.root, root, symlinks=True)
        copy = Project.__new__(Project)
        copy._name_directories(root)
        return copy

    def configure(self, pipeline: str) -> None:
        """Write pipeline.yaml."""
        (self.root / "pipeline.yaml").write_text(pipeline)

    def edit(self, old: str, new: str) -> None:
        """Change pipeline.yaml."""
        text = (self.root / "pipeline.yaml").read_text()
        assert old in text
        self.configure(text.replace(old, new))

    def start(self, *argv: str, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start one of our programs, or doit, in the project, in a process group of its own."""
        return subprocess.Popen(
            [str(BIN / argv[0]), *argv[1:]],
            cwd=self.root,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )

    def run(self, *argv: str, status: int | None = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program to its end and check its exit status (None: whatever it is)."""
        with self.start(*argv, **options) as child:
            try:
                out, err = child.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                raise
        assert "Traceback" not in out + err, out + err
        assert status is None or child.returncode == status, f"exit {child.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(argv, child.returncode, out, err)

    def ran(self, *argv: str, **options: Any) -> set[str]:
        """The tasks that a run of a program executed, `phi` left out."""
        lines = self.run(*argv, **options).stdout.splitlines()
        return {line.split()[1] for line in lines if line.startswith(".  ")} - {"phi"}

    def skipped(self, *argv: str) -> set[str]:
        """The tasks that a run of a program found up to date."""
        return {line.split()[1] for line in self.run(*argv).stdout.splitlines() if line.startswith("-- ")}

    def state(self) -> dict[str, Any]:
        """logs/state.json."""
        state: dict[str, Any] = json.loads((self.logs / "state.json").read_bytes())
        return state

    def canonical_bytes(self) -> dict[str, bytes]:
        """The canonical, rejects and lineage files by relative path."""
        return {
            str(path.relative_to(self.canonical)): path.read_bytes()
            for path in sorted(self.canonical.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }

    def objects(self) -> dict[str, bytes]:
        """The store's objects by relative path."""
        objects = self.store / "objects"
        return {str(p.relative_to(objects)): p.read_bytes() for p in sorted(objects.rglob("*.json"))}


def lines(path: Path) -> list[bytes]:
    """The lines of a file."""
    return path.read_bytes().splitlines(keepends=True)


def words(names: Sequence[str], stage: str) -> set[str]:
    """Task names of a stage."""
    return {f"{stage}:{name}" for name in names}
