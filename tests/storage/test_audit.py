"""The audit log: what is recorded, and a table of attacks that `verify` finds."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.storage import audit, audit_check
from lorchestra.storage.audit import Trail

ENTRIES = 9


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    """A log of nine entries; the first six are in two earlier files."""
    made = audit.create(tmp_path / "phi" / ".work", tmp_path / "logs")
    for number in range(1, ENTRIES + 1):
        audit.append(made, "test", objects=number)
        if number in (3, 6):
            (tmp_path / "logs" / audit.FILE).rename(tmp_path / "logs" / f"audit-{number:012d}.jsonl")
    return made


def log(trail: Trail) -> Path:
    return trail.logs / audit.FILE


def content(trail: Trail) -> list[bytes]:
    return log(trail).read_bytes().splitlines(keepends=True)


def rewrite(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Trail], object]:
    """An attack that changes the lines of the current file, which holds the entries 7 to 9."""
    return lambda trail: log(trail).write_bytes(b"".join(change(content(trail))))


def other(digit: bytes) -> bytes:
    return b"1" if digit == b"0" else b"0"


def forge(trail: Trail) -> None:
    """An entry in the right form, made without the key."""
    last = json.loads(content(trail)[-1])
    entry = {"number": 10, "time": last["time"], "command": "x", "key": last["key"], "previous": last["mac"]}
    line, _ = audit.seal(entry, os.urandom(32))
    log(trail).write_bytes(b"".join(content(trail)) + line + b"\n")


def swap_files(trail: Trail) -> None:
    first, second = (trail.logs / f"audit-{number:012d}.jsonl" for number in (3, 6))
    first.rename(trail.logs / "x")
    second.rename(first)
    (trail.logs / "x").rename(second)


def earlier_copy(trail: Trail) -> None:
    lines = content(trail)
    log(trail).write_bytes(b"".join(lines[:1]))


def key_and_log_replaced(trail: Trail) -> None:
    """The whole log, made again with another key by somebody who cannot reach the private directory."""
    other = audit.create(trail.directory.parents[1] / "evil", trail.logs.parent / "evil-logs")
    for number in range(ENTRIES):
        audit.append(other, "test", objects=number)
    for file in audit.files(trail.logs):
        file.unlink()
    shutil.copy(other.logs / audit.FILE, log(trail))


ATTACKS: dict[str, tuple[Callable[[Trail], object], str]] = {
    "a value edited": (
        rewrite(lambda old: [old[0].replace(b'"objects":7', b'"objects":1'), *old[1:]]),
        "jsonl:1: changed",
    ),
    "a space added": (rewrite(lambda old: [old[0].replace(b":", b": ", 1), *old[1:]]), "jsonl:1: changed"),
    "a field added": (rewrite(lambda old: [old[0].replace(b",", b',"x":1,', 1), *old[1:]]), "jsonl:1: changed"),
    "a MAC edited": (
        rewrite(lambda old: [old[0], old[1][:-4] + other(old[1][-4:-3]) + old[1][-3:], old[2]]),
        "jsonl:2: changed",
    ),
    "the first entry removed": (rewrite(lambda old: old[1:]), "entry 7 is missing"),
    "an entry in the middle removed": (rewrite(lambda old: [old[0], old[2]]), "entry 8 is missing"),
    "the last entry removed": (rewrite(lambda old: old[:-1]), "entry 9 is missing"),
    "the last two entries removed": (earlier_copy, "entries 8 to 9 are missing"),
    "the last entry cut in half": (rewrite(lambda old: [*old[:2], old[2][:40]]), "entry 9 is missing"),
    "an entry made unreadable": (rewrite(lambda old: [old[0], b"\n", old[2]]), "entry 8 is missing"),
    "two entries swapped": (
        rewrite(lambda old: [old[1], old[0], old[2]]),
        "entry 7 is here a second time or out of order",
    ),
    "an entry repeated": (rewrite(lambda old: [*old, old[0]]), "entry 7 is here a second time"),
    "an old entry added at the end": (rewrite(lambda old: [*old, old[2]]), "entry 9 is here a second time"),
    "an entry forged": (forge, "jsonl:4: changed"),
    "a line added": (rewrite(lambda old: [*old, b'{"command":"x"}\n']), "jsonl:4: not made with the key"),
    "the current file emptied": (rewrite(lambda old: []), "entries 7 to 9 are missing"),
    "the current file removed": (lambda trail: log(trail).unlink(), "entries 7 to 9 are missing"),
    "an earlier file removed": (lambda trail: audit.files(trail.logs)[0].unlink(), "entries 1 to 3 are missing"),
    "all files removed": (lambda trail: shutil.rmtree(trail.logs), "entries 1 to 9 are missing"),
    "all entries made again with another key": (key_and_log_replaced, "not made with the key of this pipeline"),
    "the head reset": (lambda trail: (trail.directory / "head").write_text(""), "the head is older"),
}
HARMLESS: dict[str, Callable[[Trail], object]] = {
    "nothing": lambda trail: None,
    "files renamed": swap_files,
    "an incomplete line of a crash": rewrite(lambda old: [*old, b'{"number":10,"ti']),
    "a crash between the entry and the head": lambda trail: (trail.directory / "head").write_text(
        f"8 {json.loads(content(trail)[1])['mac']}"
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_found(trail: Trail, name: str) -> None:
    attack, expected = ATTACKS[name]
    attack(trail)
    report = audit_check.verify(trail)
    assert any(expected in finding for finding in report.findings), report
    audit.append(trail, "test")  # what follows does not cover it up
    assert audit_check.verify(trail).findings or name == "the head reset"


@pytest.mark.parametrize("name", HARMLESS)
def test_no_false_alarm(trail: Trail, name: str) -> None:
    HARMLESS[name](trail)
    assert audit_check.verify(trail)[::2] == (ENTRIES, ())
    audit.append(trail, "test")
    assert audit_check.verify(trail)[::2] == (ENTRIES + 1, ())


def test_a_full_file_is_followed_by_another_one(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_LARGEST_FILE", 700)
    for number in range(10):
        audit.append(trail, "test", objects=number)
    assert len(audit.files(trail.logs)) > 5
    assert audit_check.verify(trail) == (ENTRIES + 10, 0, ())


def test_files_that_were_moved_away_are_verified_too(trail: Trail, tmp_path: Path) -> None:
    earlier = audit.files(trail.logs)[0].rename(tmp_path / "archived.jsonl")
    assert audit_check.verify(trail).findings == ("entries 1 to 3 are missing",)
    assert audit_check.verify(trail, [earlier]) == (ENTRIES, 0, ())


def test_writers_in_several_threads_form_one_chain(trail: Trail) -> None:
    def write() -> None:
        for _ in range(10):
            audit.append(trail, "test")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit_check.verify(trail) == (ENTRIES + 40, 0, ())


def test_all_files_are_private_and_entries_name_the_user(trail: Trail) -> None:
    for path in (*trail.logs.iterdir(), *trail.directory.iterdir()):
        assert path.stat().st_mode & 0o777 == 0o600
    entry = next(audit_check.entries(trail))
    assert entry["uid"] == os.getuid()
    assert trail.key.hex().encode() not in b"".join(content(trail))


def test_only_the_digest_of_what_was_asked_is_written(trail: Trail) -> None:
    store = trail.directory.parents[1] / "store"
    audit.record_read(store, "query", "SELECT * WHERE name = 'Jane Canary'")
    audit.record_read(store, "query", "SELECT * WHERE name = 'Jane Canary'")
    audit.record_read(store, "query", "another")
    asked = [json.loads(line)["asked"] for line in content(trail)[-3:]]
    assert asked[0] == asked[1] != asked[2]
    assert b"Canary" not in b"".join(content(trail))


def test_without_a_pipeline_around_a_store_nothing_is_recorded(tmp_path: Path) -> None:
    audit.record_read(tmp_path, "query", "x")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_recorded_does_not_happen(trail: Trail) -> None:
    log(trail).unlink()
    log(trail).mkdir()
    with pytest.raises(Failure) as caught:
        audit.append(trail, "test")
    assert caught.value.code is Code.MISSING
    assert str(log(trail)) in caught.value.message


def test_file_names_that_may_hold_anything_are_only_counted() -> None:
    fields = audit.named(["/a/gmail-messages-a-20251110.jsonl", "/a/Jane Canary.jsonl"])
    assert fields == {"files": ["gmail-messages-a-20251110.jsonl"], "files_total": 2}


def test_an_entry_that_would_be_too_long_is_cut(trail: Trail) -> None:
    audit.append(trail, "test", transforms={f"t{number}": "x" * 64 for number in range(10_000)})
    entry = json.loads(content(trail)[-1])
    assert (entry["cut"], "transforms" in entry) == (1, False)
    assert audit_check.verify(trail) == (ENTRIES + 1, 0, ())
