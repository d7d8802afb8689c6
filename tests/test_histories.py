"""Random histories of a pipeline: edits, losses and kills in any order; one run then equals a build from scratch.

`make test` plays one short history. With LORCHESTRA_HISTORIES=N, N random ones of 12 steps are played; a failure names
the seed, and LORCHESTRA_HISTORY_SEED=SEED plays that history again.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import pipeline
from tests.faults.pipeline import PROGRAMS
from tests.harness import Project

SEED = os.environ.get("LORCHESTRA_HISTORY_SEED")
COUNT = int(os.environ.get("LORCHESTRA_HISTORIES", "1"))
STEPS = 12 if "LORCHESTRA_HISTORIES" in os.environ or SEED else 3
SEEDS = [int(SEED)] if SEED else [11] if COUNT == 1 else [random.randrange(10**9) for _ in range(COUNT)]
_SPEC = "transforms/email/gmail_to_canonical_v1.jsonata"


class History:
    """A pipeline, and what can happen to it. The raw files, the registry and pipeline.yaml are all that counts."""

    def __init__(self, root: Path, source: random.Random) -> None:
        self.project = Project(root / "project", pipeline.PIPELINE)
        self.source = source
        self.steps: list[Callable[[], object]] = [
            self.add_mail, self.lose_a_record, self.lose_a_raw_file, self.edit_the_transform, self.allow_fewer_rejects,
            self.edit_a_canonical_file, self.lose_the_task_store, self.lose_the_store, self.run, self.kill_a_run,
        ]  # fmt: skip

    def add_mail(self) -> None:
        """Another day of mail, or more mail of a day."""
        text = (self.project.root / "pipeline.yaml").read_text()
        changed = re.sub(r"records: \d+, seed: 1", f"records: {self.source.randint(1, 6)}, seed: 1", text)
        day = self.source.choice(["20251109", "20251110", "20251111"])
        self.project.configure(re.sub(r'start: "\d+", records', f'start: "{day}", records', changed, count=1))

    def lose_a_record(self) -> None:
        """A record is removed from a raw file."""
        for file in self._some(self.project.raw):
            file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[1:]))

    def lose_a_raw_file(self) -> None:
        """A raw file is deleted."""
        for file in self._some(self.project.raw):
            file.unlink()

    def edit_the_transform(self) -> None:
        """The spec of a transform changes, and so does its checksum."""
        spec = self.project.root / _SPEC
        spec.write_text(spec.read_text() + f"/* {self.source.random()} */\n")
        self.project.run("can", "registry", "checksum", "--registry", "transforms", "--write")

    def allow_fewer_rejects(self) -> None:
        """A setting changes that is part of the recipe."""
        text = (self.project.root / "pipeline.yaml").read_text()
        limit = f"    validation: {{max_rejects: {self.source.randint(20, 30)}}}\n  index:"
        self.project.configure(re.sub(r"(    validation: .*\n)?  index:", limit, text))

    def edit_a_canonical_file(self) -> None:
        """Somebody edits a canonical file by hand."""
        for file in self._some(self.project.canonical):
            file.write_bytes(file.read_bytes() + b"{}\n")

    def lose_the_task_store(self) -> None:
        """doit's cache is deleted."""
        (self.project.root / "phi-data/.work/tasks.json").unlink(missing_ok=True)

    def lose_the_store(self) -> None:
        """The store is deleted."""
        shutil.rmtree(self.project.store, ignore_errors=True)

    def run(self) -> None:
        """A run of either program."""
        self.project.run(*self.source.choice(list(PROGRAMS.values())))

    def kill_a_run(self) -> None:
        """A run is killed at some moment."""
        with self.project.start(*self.source.choice(list(PROGRAMS.values()))) as child:
            time.sleep(self.source.random() * 1.5)
            os.killpg(child.pid, signal.SIGKILL)

    def _some(self, directory: Path) -> list[Path]:
        files = sorted(file for file in directory.glob("*.jsonl") if file.stat().st_size)
        return [self.source.choice(files)] if files else []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_after_any_history_equals_a_build_from_scratch(tmp_path: Path, seed: int) -> None:
    history = History(tmp_path, random.Random(seed))
    played = [history.source.choice(history.steps) for _ in range(STEPS)]
    for step in (history.run, *played):
        step()
    project = history.project
    project.run("lorchestra", "run")
    scratch = Project(tmp_path / "scratch", (project.root / "pipeline.yaml").read_text())
    shutil.copytree(project.root / "transforms", scratch.root / "transforms", dirs_exist_ok=True)
    shutil.copytree(project.raw, scratch.raw)
    (scratch.root / "phi-data").chmod(0o700)
    scratch.run("lorchestra", "run", "--stage", "index")
    names = [getattr(step, "__name__", "") for step in played]
    built, expected = files(project), files(scratch)
    assert built == expected, f"seed {seed}: {names}"
    assert records(project) == records(scratch), f"seed {seed}: {names}"
    assert pipeline.leftovers(project) == [], f"seed {seed}: {names}"
    project.run("vector-projector", "verify", "--store", str(project.store))
    project.run("lorchestra", "audit", "verify")


def files(project: Project) -> dict[str, bytes]:
    """The canonical files with rejects and lineage, without those that have no raw file any more."""
    stale = {line.split()[0] for line in project.run("lorchestra", "clean", "--stale", "--dry-run").stdout.splitlines()}
    return {
        name: content
        for name, content in project.canonical_bytes().items()
        if str(project.canonical / name) not in stale
    }


def records(project: Project) -> list[str]:
    """The current records of the store that come from a canonical file."""
    exported = project.run("vector-projector", "export", "--output", "-", "--store", str(project.store))
    return sorted(exported.stdout.splitlines())
