"""A small pipeline, runs of it that something goes wrong with, and the proof that one more run repairs everything."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults import strace
from tests.harness import BIN, Project

PIPELINE = """
pipeline: {name: faults}
stages:
  extract:
    output_dir: phi-data/meltano-extracts
    sources:
      gmail-messages-a: {type: sample, kind: gmail-messages, start: "20251110", records: 3, seed: 1, malformed: 0.34}
      contacts-dataverse: {type: sample, kind: dataverse-contacts, start: "20251110", records: 2, seed: 3}
    retry: {enabled: false}
  canonize:
    output_dir: phi-data/canonical
    registry: transforms
    mappings:
      - {source_pattern: "*gmail*.jsonl", transform: email/gmail_to_canonical_v1}
      - {source_pattern: "*contacts*.jsonl", transform: contact/dataverse_contact_to_canonical_v1}
  index:
    output_dir: phi-data/vector-store
"""
CHANGE = ('start: "20251110", records: 3, seed: 1', 'start: "20251110", days: 2, records: 3, seed: 1')
"""The edit before an incremental run: a second day of mail."""
PROGRAMS: Mapping[str, Sequence[str]] = {
    "lorchestra run": ("lorchestra", "run"),
    "doit -n 2": ("doit", "-n", "2"),
}


class Result(NamedTuple):
    """What a pipeline has built."""

    raw: dict[str, bytes]
    canonical: dict[str, bytes]
    objects: dict[str, bytes]


class Scenario:
    """A pipeline in a certain state, which can be set up again and again, and what a complete run makes of it."""

    def __init__(self, root: Path, *, incremental: bool) -> None:
        self.root = root
        self.base = Project(root / "base", PIPELINE)
        for unused in ("clinical_session", "form_response"):
            shutil.rmtree(self.base.root / "transforms" / unused)
        if incremental:
            self.base.run("lorchestra", "run")
            self.base.edit(*CHANGE)
        complete = self.fresh()
        complete.run("lorchestra", "run")
        self.expected = result(complete)
        assert self.expected.objects and self.expected.canonical

    def fresh(self) -> Project:
        """The pipeline as it is before the run. There is one at a time."""
        shutil.rmtree(self.root / "project", ignore_errors=True)
        shutil.copytree(self.base.root, self.root / "project", symlinks=True)
        return existing(self.root / "project")


def check(
    project: Project, faulty: subprocess.CompletedProcess[str], program: Sequence[str], expected: Result
) -> list[str]:
    """What is wrong after a run with a fault and one without; both end in bounded time, or this raises."""
    wrong = [f"output: {fault}" for fault in _tracebacks(faulty)]
    again = project.run(*program, status=None)
    if again.returncode:
        wrong.append(f"the next run ended with {again.returncode}: {(again.stdout + again.stderr)[-500:]}")
    built = result(project)
    wrong += [f"{name} differ" for at, name in enumerate(Result._fields) if built[at] != expected[at]]
    wrong += [f"left: {path}" for path in leftovers(project)]
    for command in (("lorchestra", "audit", "verify"), ("vector-projector", "verify", "--store", str(project.store))):
        ended = project.run(*command, status=None)
        if ended.returncode:
            wrong.append(f"{command[1]} ended with {ended.returncode}: {(ended.stdout + ended.stderr)[-300:]}")
    return wrong


def existing(root: Path) -> Project:
    """The project in a directory, as it is."""
    project = Project.__new__(Project)
    project._name_directories(root)
    return project


def result(project: Project) -> Result:
    """Everything that the pipeline has built; lineage included, because it contains no times."""
    raw = {path.name: path.read_bytes() for path in sorted(project.raw.iterdir())}
    return Result(raw, project.canonical_bytes(), project.objects())


def leftovers(project: Project) -> list[str]:
    """Temporary files, staged files, and the note of a run that did not end."""
    work = project.root / "phi-data" / ".work"
    paths = [path for path in project.root.rglob("*") if path.name.endswith(".tmp~")]
    paths += [path for path in (work / "staging").rglob("*") if path.is_file()]
    paths += [work / "running.json"] if (work / "running.json").exists() else []
    return [str(path.relative_to(project.root)) for path in paths]


def _tracebacks(ended: subprocess.CompletedProcess[str]) -> list[str]:
    output = ended.stdout + ended.stderr
    if "load_config_toml" in output and output.count("Traceback") == 1 and "OSError: [Errno 5]" in output:
        return []  # doit cannot read pyproject.toml, and has not loaded us yet
    return [output[-1500:]] if "Traceback" in output or "Exception ignored" in output else []


def run(
    project: Project, program: Sequence[str], before: Sequence[str] = (), seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a program, perhaps under another one such as strace. Raises TimeoutExpired where it hangs."""
    command = [*before, str(BIN / program[0]), *program[1:]]
    return subprocess.run(
        command, cwd=project.root, env=strace.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=seconds, check=False,
    )  # fmt: skip
