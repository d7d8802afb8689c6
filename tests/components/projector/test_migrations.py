"""Databases of other versions, and `compact`."""

from __future__ import annotations

import fcntl

import apsw
import pytest

from lorchestra.components.projector import cli
from lorchestra.components.projector.database import migrations
from tests.components.projector.damage import sql
from tests.components.projector.harness import EMAIL, Bench, email


def test_compact_gives_space_back(filled: Bench) -> None:
    filled.canonical(
        "email-20251103.jsonl", [email(n, body=f"{n} " * 900, **{"from": "x" * 900}) for n in range(40, 80)]
    )
    filled.pull()
    filled.ok("purge", "--subject", f"schema={EMAIL}", "--yes")
    connection = apsw.Connection(str(filled.store / "metadata.db"))
    assert connection.pragma("freelist_count") > 0
    connection.close()
    filled.ok("compact")
    connection = apsw.Connection(str(filled.store / "metadata.db"))
    assert connection.pragma("freelist_count") == 0
    connection.close()
    assert len(filled.objects()) == 2
    filled.verify()
    assert {path.name for path in filled.store.iterdir()} == {"lock", "metadata.db", "objects", "registry", "rejects"}


def test_an_older_database_is_copied_and_brought_forward(filled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (*migrations.scripts(), "ALTER TABLE file ADD COLUMN colour TEXT", "CREATE TABLE other (a)")
    monkeypatch.setattr(migrations, "scripts", lambda: steps)
    store = ["--store", str(filled.store)]
    with (filled.store / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cli.main(["stats", *store]) == 8
    assert cli.main(["stats", *store]) == 0
    assert cli.main(["verify", *store]) == 0
    connection = apsw.Connection(str(filled.store / "metadata.db"))
    assert connection.pragma("user_version") == len(steps)
    assert connection.execute("SELECT colour FROM file").fetchall() == [(None,)] * 3
    connection.close()
    backup = filled.store / "backups" / f"metadata-v{len(steps) - 2}.db"
    assert backup.stat().st_mode & 0o777 == 0o600
    connection = apsw.Connection(str(backup))
    assert connection.execute("SELECT count(*) FROM object").fetchone() == (12,)
    connection.close()
    assert cli.main(["purge", filled.registry("email")["ids"][0], "--yes", *store]) == 0
    assert not backup.exists()  # it held what had to go


def test_a_step_that_fails_leaves_the_database_as_it_was(filled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (*migrations.scripts(), "CREATE TABLE x (a); NO")
    monkeypatch.setattr(migrations, "scripts", lambda: steps)
    assert cli.main(["verify", "--store", str(filled.store)]) == 1
    monkeypatch.undo()
    filled.verify()


def test_a_database_with_the_former_full_text_is_rebuilt_by_repair(filled: Bench) -> None:
    sql(filled, "PRAGMA user_version = 4")
    ended = filled.run("search", "appointment")
    assert (ended.returncode, "Run: vector-projector repair" in ended.stderr) == (1, True)
    filled.ok("repair", "--schemas", filled.schemas)
    filled.verify()
    assert len(filled.ok("search", "appointment", "--format", "jsonl").rows()) == 10


def test_a_newer_database_is_refused(filled: Bench) -> None:
    sql(filled, "PRAGMA user_version = 99")
    for verb in (["stats"], ["verify"], ["pull", "--input", str(filled.input)]):
        ended = filled.run(*verb)
        assert ended.returncode == 1
        assert "newer program" in ended.stderr
