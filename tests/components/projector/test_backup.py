"""Backups: incremental, verified, consistent while others write; what was purged does not return with one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.components.projector.harness import Bench, FastBench, contact, email


@pytest.fixture
def store(filled: Bench) -> FastBench:
    bench = FastBench(filled.root)
    bench.canonical("email-20251103.jsonl", [email(40), email(41, size="x")])
    bench.pull()
    return bench


def exported(bench: Bench, directory: Path | None = None) -> list[str]:
    copy = FastBench(bench.root)
    copy.store = directory or bench.store
    return sorted(copy.ok("export", "--output", "-").stdout.splitlines())


def test_a_backup_is_a_store_and_the_next_one_copies_only_what_is_new(store: FastBench) -> None:
    copy = store.root / "copy"
    assert "13 objects: 13 copied" in store.ok("backup", copy).stderr
    assert exported(store, copy) == exported(store)
    assert {path.stat().st_mode & 0o077 for path in copy.rglob("*")} == {0}
    store.canonical("contact-20251102.jsonl", [contact(9)])
    store.pull()
    assert "14 objects: 1 copied, 13 already there" in store.ok("backup", copy).stderr
    assert exported(store, copy) == exported(store)


def test_a_restored_store_goes_on_where_it_was(store: FastBench) -> None:
    copy, before = store.root / "copy", exported(store)
    store.ok("backup", copy)
    assert store.run("restore", copy).returncode == 2  # there is a store
    shutil.rmtree(store.store)
    store.ok("restore", copy)
    store.verify()
    assert exported(store) == before
    assert store.pull()["inserted"] == 0
    assert len((store.store / "rejects/email-20251103.jsonl").read_text().splitlines()) == 1


def test_what_was_purged_leaves_the_backup_and_does_not_return_with_an_older_one(store: FastBench) -> None:
    copy, older = store.root / "copy", store.root / "older"
    store.ok("backup", copy)
    shutil.copytree(copy, older)
    identity = store.registry("email")["ids"][0]
    store.ok("purge", identity, "--yes")
    assert "1 removed from the copy" in store.ok("backup", copy).stderr
    assert not [path for path in copy.rglob(f"*{identity}*") if path.suffix != ".purged"]
    shutil.rmtree(store.store)
    store.ok("restore", older)
    store.verify()
    assert identity not in store.registry("email")["ids"]
    assert store.pull()["inserted"] == 0


def test_an_interrupted_backup_is_completed_by_the_next_one(store: FastBench) -> None:
    copy = store.root / "copy"
    store.ok("backup", copy)
    (copy / "metadata.db").unlink()
    sorted((copy / "objects").rglob("*.json"))[0].unlink()
    (copy / "metadata.db.new").write_text("half")
    store.ok("backup", copy)
    assert exported(store, copy) == exported(store)


def test_a_damaged_store_is_not_backed_up(store: FastBench) -> None:
    path = store.objects()[0]
    path.write_bytes(path.read_bytes().replace(b"e", b"f", 1))
    ended = store.run("backup", store.root / "copy")
    assert (ended.returncode, "an object is damaged" in ended.stderr) == (1, True)


def test_a_backup_inside_of_the_store_is_refused(store: FastBench) -> None:
    assert store.run("backup", store.store / "copy").returncode == 2
    assert store.run("backup", store.store).returncode == 2
