"""The real Meltano, with stub plugins: whatever goes wrong, the next run ends with exactly the server's records."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lorchestra.base.errors import Code
from lorchestra.process import runner
from lorchestra.process.source_lock import hold_source
from lorchestra.stages.extract.extraction import bookmark, expand
from tests.meltano.project import ACCOUNTS, TOKEN, Project
from tests.stages.harness import RAW


def test_a_first_run_gets_everything_and_a_second_nothing(project: Project) -> None:
    result = project.settle()
    assert (result.status, result.files, result.new_records) == ("ok", (RAW,), 6)
    assert project.harness.counted[-1] == (ACCOUNTS[0], 6)
    before = (project.harness.raw / RAW).stat()
    again = project.settle()
    assert (again.status, again.files, again.new_records) == ("empty", (), 0)
    assert (project.harness.raw / RAW).stat() == before
    project.receive([7, 8])
    third = project.settle()
    assert (third.status, third.records, third.new_records) == ("ok", 8, 2)
    assert project.harness.counted[-1] == (ACCOUNTS[0], 2)


def test_failed_authentication_is_retried_and_reported_without_the_token(project: Project) -> None:
    project.plan("auth", "auth")
    result = project.run(attempts=2)
    assert (result.status, result.code, result.attempts) == ("failed", Code.SOURCE_FAILED, 2)
    assert result.message == "meltano ended with exit status 1, its extractor ended with status 1"
    assert TOKEN in project.log(result), "the plugin's words are kept, but only in the private log"
    project.check_privacy()
    project.settle()


def test_a_crash_before_the_bookmark_duplicates_no_record(project: Project) -> None:
    project.plan("early")
    result = project.run()
    assert (result.status, result.code, result.new_records) == ("partial", Code.SOURCE_FAILED, 3)
    assert project.settle().new_records == 3


def test_a_crash_after_the_bookmark_loses_no_record(project: Project) -> None:
    project.plan("late")
    result = project.run()
    assert (result.status, result.new_records) == ("partial", 6)
    assert project.settle().status == "empty"


def test_the_records_of_every_attempt_are_kept(project: Project) -> None:
    project.plan("early", "late", "ok")
    result = project.run(attempts=3)
    assert (result.status, result.attempts, result.new_records) == ("ok", 3, 6)
    project.settle()


def test_a_tap_that_ignores_sigterm_is_killed_at_the_time_limit(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 1)
    project.plan("stuck")
    result = project.run(timeout_seconds=6)
    assert (result.status, result.code, result.new_records) == ("partial", Code.TIMED_OUT, 3)
    assert result.duration_seconds < 12
    assert project.credentials() == []
    project.settle()


def test_a_killed_meltano_loses_nothing_and_leaves_no_credentials(project: Project) -> None:
    project.plan("kill")
    result = project.run()
    assert (result.status, result.code, result.new_records) == ("partial", Code.COMPONENT_CRASHED, 3)
    assert project.credentials() == []
    project.settle()


def test_a_poison_record_holds_back_only_itself(project: Project) -> None:
    poisoned = [
        record | {"id": ["poison", record["subject"]]} if record["n"] == 4 else record for record in project.records
    ]
    project.serve(poisoned)
    result = project.run()
    assert (result.status, result.code, result.new_records) == ("partial", Code.SOURCE_FAILED, 3)
    assert "PHI-Canary" in project.log(result), "the target's words are kept, but only in the private log"
    project.check_privacy()
    project.serve(project.records)
    project.settle()


def test_the_run_after_a_killed_one_takes_over(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 1)
    killed = project.start("stuck")
    assert project.credentials() != []  # while it runs: when it is killed, its guard lets Meltano remove them
    killed.kill()
    killed.wait()
    project.settle()
    assert project.credentials() == []


def saved_bookmarks(own: Path) -> str:
    with contextlib.closing(sqlite3.connect(own / "meltano" / "meltano.db")) as database:
        return str(database.execute("select partial_state, completed_state from state").fetchall())


def test_a_crash_of_the_machine_loses_no_record(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bookmark was on the disk already, what the target wrote was not."""
    monkeypatch.setattr(runner, "GRACE_SECONDS", 1)
    project.settle()
    project.receive([7, 8])
    own = project.harness.work / "sources" / ACCOUNTS[0]
    killed = project.start("stuck")
    while '"messages": 7' not in saved_bookmarks(own):
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    with hold_source(project.harness.work / "locks" / f"{ACCOUNTS[0]}.lock"):
        for lost in project.harness.staged():
            shutil.rmtree(lost)
        (own / "running").write_text("another boot")
    assert project.settle().new_records == 2
    assert not (own / "running").exists()


def test_a_second_run_of_a_source_at_the_same_time_is_busy(project: Project) -> None:
    first = project.start("slow")
    result = project.run(attempts=3)
    assert (result.status, result.code, result.attempts) == ("failed", Code.BUSY, 0)
    assert first.wait(60) == 0
    project.settle()


def test_an_interrupt_stops_meltano_and_its_plugins(project: Project) -> None:
    run = project.start("slow")
    run.terminate()
    assert run.wait(30) == 130
    assert project.credentials() == []
    assert not list((project.harness.work / "sources" / ACCOUNTS[0]).glob("tmp/*"))
    project.settle()


@pytest.mark.skipif(subprocess.run(["unshare", "-rm", "true"]).returncode != 0, reason="needs namespaces")
def test_a_full_disk_loses_nothing_and_is_not_retried(project: Project) -> None:
    arguments = [str(project.harness.root), str(project.venv)]
    subprocess.run(["unshare", "-rm", sys.executable, "-m", "tests.meltano.full_disk", *arguments], check=True)


def test_the_sources_of_a_job_fail_alone(project: Project) -> None:
    sources = expand(project.source("all-mail-accounts", job="ingest-all-accounts"))
    assert tuple(source.name for source in sources) == ACCOUNTS
    project.plan("early")
    first, second = (project.harness.run(source) for source in sources)
    assert (first.status, second.status) == ("partial", "ok")
    assert second.files == (f"{ACCOUNTS[1]}-20251112.jsonl",)


def test_bookmarks_of_the_database_of_the_project_are_kept(project: Project) -> None:
    project.settle()
    own = project.harness.work / "sources" / ACCOUNTS[0]
    (project.root / ".meltano").mkdir()
    (own / "bookmarks.db").rename(project.root / ".meltano" / "meltano.db")
    shutil.rmtree(own)
    assert project.settle().status == "empty"
    shutil.rmtree(own)
    (project.root / ".meltano" / "meltano.db").write_bytes(b"no database" * 1000)
    result = project.run()
    assert (result.status, result.code) == ("failed", Code.CONFIG)
    assert result.message == f"{project.root}/.meltano/meltano.db: cannot be read as Meltano's database"
    assert result.advice == "Repair it or move it away."


def test_bookmarks_can_be_kept_in_a_state_directory(project: Project) -> None:
    state = project.harness.root / "phi" / "state"
    for kept in ({}, {"state": str(state)}):
        source = project.source(**kept)
        assert bookmark(source, project.harness.work) is None
        assert project.harness.run(source).code is None
        moved = bookmark(source, project.harness.work)
        assert moved and abs(moved.timestamp() - time.time()) < 60
    assert any(state.rglob("*"))


def test_records_that_the_loader_wrote_elsewhere_are_noticed(project: Project) -> None:
    elsewhere = project.harness.root / "phi" / "elsewhere"
    elsewhere.mkdir()
    stub = project.root / "target-stub"
    stub.write_text(stub.read_text().replace("exec", f"LORCHESTRA_TEST_DESTINATION={elsewhere} exec"))
    result = project.run(attempts=2)
    assert (result.status, result.code, result.attempts) == ("failed", Code.CONFIG, 1)
    assert result.message == "target-jsonl wrote its records elsewhere: its destination must be $RAW_DIR"


def test_missing_parts_of_an_installation_are_named(project: Project) -> None:
    result = project.run(attempts=3, venv_path=str(project.root / "nowhere"))
    assert (result.code, result.attempts) == (Code.COMPONENT_MISSING, 1)
    assert f"{project.root}/nowhere/bin/meltano" in result.message
    meltano_yml = project.root / "meltano.yml"
    meltano_yml.write_text(meltano_yml.read_text().replace("default_environment: test\n", ""))
    result = project.run(attempts=3)
    assert (result.code, result.attempts) == (Code.CONFIG, 1)
    assert project.run(environment="test").status == "ok"


def test_a_loader_that_loses_records_fails_and_the_bookmark_stays(project: Project) -> None:
    sound = project.records
    project.serve([record | {"lost": True} if record["n"] == 3 else record for record in sound])
    project.plan("ok")
    result = project.run()
    assert (result.status, result.code) == ("partial", Code.SOURCE_FAILED)
    assert "sent 6 records but target-jsonl wrote 5; its bookmark stays" in result.message
    project.serve(sound)
    assert project.settle().new_records == 1


def test_an_undeclared_second_stream_is_refused_before_anything_is_published(project: Project) -> None:
    project.plan("streams")
    result = project.run()
    assert (result.status, result.code, result.files) == ("failed", Code.CONFIG, ())
    assert "streams that are not declared: message_list, messages; nothing was published" in result.message
    assert f"      message_list: {ACCOUNTS[0]}-message_list" in result.advice
    project.plan()
    declared = project.run(streams={"messages": ACCOUNTS[0], "message_list": None})
    assert (declared.status, declared.discarded) == ("ok", 6)
    assert sorted(project.harness.records(), key=lambda record: record["n"]) == project.records


def test_a_plugin_keeps_the_name_that_meltano_users_give_it(project: Project) -> None:
    text = (project.root / "meltano.yml").read_text()
    (project.root / "meltano.yml").write_text(text.replace("name: gmail-messages-acct1", "name: tap-gmail--acct1"))
    source = project.source(extractor="tap-gmail--acct1")
    result = project.harness.run(source)
    assert (result.status, result.files) == ("ok", ("gmail-messages-acct1-20251112.jsonl",))


def test_a_loader_that_mixes_two_streams_in_one_file_publishes_nothing(project: Project) -> None:
    """Records of both streams have the same ids, and no raw file may hold two streams."""
    stub = project.root / "target-stub"
    stub.write_text(stub.read_text().replace("exec", f"LORCHESTRA_TEST_FILE={RAW} exec"))
    project.plan("streams")
    result = project.run(attempts=3)
    assert (result.status, result.code, result.attempts, result.files) == ("failed", Code.CONFIG, 1, ())
    assert (
        "target-jsonl wrote 2 streams into 1 file: message_list, messages; none of it was published" in result.message
    )
    assert (result.refused, list(project.harness.raw.iterdir())) == (1, [])
    stub.write_text(stub.read_text().replace(f"LORCHESTRA_TEST_FILE={RAW} ", ""))
    assert project.run().new_records == 6, "the bookmark did not advance"
    project.check_privacy()
