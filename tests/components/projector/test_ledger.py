"""A purged record stays away, whatever is lost: a tombstone, the database, the whole store."""

from __future__ import annotations

import shutil

import pytest

from lorchestra.components.projector.objects import ledger
from lorchestra.components.projector.objects.layout import Store
from tests.components.projector.harness import Bench


def purge_one(bench: Bench) -> str:
    identity = str(bench.registry("email")["ids"][0])
    bench.ok("purge", identity, "--yes")
    return identity


def lose_tombstone(bench: Bench) -> None:
    next((bench.store / "objects").rglob("*.purged")).unlink()


def lose_tombstone_and_repair(bench: Bench) -> None:
    lose_tombstone(bench)
    bench.ok("repair", "--schemas", bench.schemas)


def lose_database_and_repair(bench: Bench) -> None:
    for file in bench.store.glob("metadata.db*"):
        file.unlink()
    lose_tombstone_and_repair(bench)


def lose_store(bench: Bench) -> None:
    shutil.rmtree(bench.store)


def lose_ledger(bench: Bench) -> None:
    ledger.path(Store(bench.store)).unlink()


LOSSES = {
    "tombstone, then repair": lose_tombstone_and_repair,
    "database and tombstone, then repair": lose_database_and_repair,
    "the store": lose_store,
    "the ledger": lose_ledger,
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_purged_record_does_not_come_back(filled: Bench, loss: str) -> None:
    identity = purge_one(filled)
    LOSSES[loss](filled)
    filled.pull()
    assert identity not in filled.registry("email")["ids"]
    assert filled.registry("email")["objects"] == 9
    assert ledger.path(Store(filled.store)).read_text() == f"email {identity}\n"
    filled.verify()


def test_an_older_copy_of_the_store_is_purged_again(filled: Bench) -> None:
    shutil.copytree(filled.store, filled.root / "copy")
    identity = purge_one(filled)
    shutil.rmtree(filled.store)
    shutil.copytree(filled.root / "copy", filled.store)
    filled.pull()
    assert identity not in filled.registry("email")["ids"]
    assert not list((filled.store / "objects").rglob(f"*{identity}*.json"))
    filled.verify()


def test_the_ledger_is_private_and_ignores_foreign_lines(filled: Bench) -> None:
    identity = purge_one(filled)
    path = ledger.path(Store(filled.store))
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(path.read_text() + "nonsense\nemail 12\nEMAIL " + "A" * 32 + "\n\xe9")
    assert ledger.read(Store(filled.store)) == {("email", bytes.fromhex(identity))}
