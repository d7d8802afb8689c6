"""A backup that is killed anywhere, or whose disk is full, harms no store and is completed by the next one."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.components.projector.harness import PROGRAM, FastBench, email
from tests.faults import strace

pytestmark = pytest.mark.skipif(not strace.available(), reason="strace is missing or may not trace")

POINTS = 40


class Backup:
    """A store with changes since its last backup."""

    def __init__(self, root: Path) -> None:
        self.bench = FastBench(root)
        self.copy, self.saved = root / "copy", root / "saved"
        self.bench.canonical("email-20251101.jsonl", [*map(email, range(12)), email(99, size="x")])
        self.bench.pull()
        self.bench.ok("backup", self.copy)
        shutil.copytree(self.copy, self.saved)
        self.bench.canonical("email-20251102.jsonl", map(email, range(20, 30)))
        self.bench.pull()
        self.bench.ok("purge", self.bench.registry("email")["ids"][0], "--yes")
        self.expected = self.exported(self.bench.store)
        self.command = [str(PROGRAM), "backup", "--store", str(self.bench.store), str(self.copy)]
        self.start = strace.calls([str(PROGRAM), "backup", "--help"], root / "log")
        self.calls = strace.calls(self.command, root / "log")

    def exported(self, directory: Path) -> list[str]:
        store = FastBench(self.bench.root)
        store.store = directory
        store.verify()
        return sorted(store.ok("export", "--output", "-").stdout.splitlines())

    def reset(self) -> None:
        shutil.rmtree(self.copy)
        shutil.copytree(self.saved, self.copy)

    def check(self) -> None:
        """The store is as it was; the next backup is complete."""
        assert self.exported(self.bench.store) == self.expected
        self.bench.ok("backup", self.copy)
        assert self.exported(self.copy) == self.expected


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Backup:
    return Backup(tmp_path_factory.mktemp("backup"))


def test_a_backup_that_is_killed_is_completed_by_the_next_one(backup: Backup) -> None:
    points = strace.spread(backup.calls, backup.start, POINTS)
    for call, which in points:
        backup.reset()
        strace.inject(backup.command, call, "signal=SIGKILL", str(which))
        backup.check()
    print(f"{len(points)} kills of a backup, 0 violations")


def test_a_backup_to_a_full_disk_is_completed_by_the_next_one(backup: Backup) -> None:
    calls = Counter({call: backup.calls[call] for call in ("write", "pwrite64", "mkdir", "fsync", "syncfs")})
    points = strace.spread(calls, backup.start, POINTS)
    statuses: Counter[int] = Counter()
    for call, which in points:
        backup.reset()
        statuses[strace.inject(backup.command, call, "error=ENOSPC", f"{which}+")] += 1
        backup.check()
    print(f"{len(points)} backups to a full disk, exit statuses {dict(statuses)}, 0 violations")
    assert set(statuses) <= {0, 6}
