"""Sources are extracted, retried, published completely or in part, and lose no record. The programs are real."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Code
from lorchestra.planning.config import Retry, Source
from lorchestra.stages.extract.extraction import expand
from tests.stages.harness import CANARY, NAME, RAW, Harness, open_harness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    with open_harness(tmp_path) as harness:
        yield harness


def state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


# A source that works


def test_the_files_of_the_sampler_are_published_and_a_second_run_touches_nothing(harness: Harness) -> None:
    settings = {"kind": "gmail-messages", "start": "20251110", "days": 3, "records": 5, "seed": 7}
    source = Source(NAME, "sample", settings)
    result = harness.run(source)
    names = tuple(f"{NAME}-2025111{day}.jsonl" for day in range(3))
    assert (result.status, result.code, result.files) == ("ok", None, names)
    assert (result.records, result.new_records, result.attempts) == (15, 15, 1)
    assert result.child_log and stat.S_IMODE(result.child_log.stat().st_mode) == 0o600
    before = [state(harness.raw / name) for name in names]
    again = harness.run(source)
    assert (again.status, again.files, again.records, again.new_records) == ("ok", names, 15, 0)
    assert [state(harness.raw / name) for name in names] == before
    assert harness.staged() == []


def test_a_program_gets_its_output_directory_and_its_settings(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "named")
    monkeypatch.setenv("OTHER_TOKEN", "not named")
    source = harness.program(
        """
        given = Path(sys.argv[1].removeprefix("--to=")).parent
        assert given.samefile(out) and name not in str(given), sys.argv
        assert os.environ["API_TOKEN"] == "named" and "OTHER_TOKEN" not in os.environ
        assert list(out.iterdir()) == [] and out.stat().st_mode & 0o777 == 0o700
        assert Path(os.environ["TMPDIR"]).is_dir()
        put({"id": "1"}, {"id": "2"})
        """,
        pass_env=["API_TOKEN"],
        cwd=str(harness.root),
    )
    command = [*source.settings["command"], "--to={output}/x"]
    result = harness.run(dataclasses.replace(source, settings={**source.settings, "command": command}))
    assert (result.status, result.records) == ("ok", 2), result.child_log and result.child_log.read_text()


def test_a_source_without_records_is_no_failure_and_changes_no_file(harness: Harness) -> None:
    harness.run(harness.program('put({"id": "1"})'))
    before = state(harness.raw / RAW)
    for script in ("", "target.touch()"):
        assert harness.run(harness.program(script))[:3] == (NAME, "empty", ())
        assert state(harness.raw / RAW) == before


def test_a_second_run_of_the_day_adds_to_the_file_of_the_day(harness: Harness) -> None:
    harness.run(harness.program('put({"id": "1", "v": 1}, {"id": "2", "v": 1})', key=["id"]))
    result = harness.run(harness.program('put({"id": "2", "v": 2}, {"id": "3", "v": 1})', key=["id"]))
    assert (result.status, result.records, result.new_records, result.replaced) == ("ok", 3, 2, 1)
    assert harness.records() == [{"id": "1", "v": 1}, {"id": "2", "v": 2}, {"id": "3", "v": 1}]
    assert harness.event("records_replaced")["count"] == 1


def test_the_key_can_be_named(harness: Harness) -> None:
    script = 'put({"id": 1, "row": 1}, {"id": 1, "row": 2}, {"id": 2, "row": 2})'
    harness.run(harness.program(script, key=["row"]))
    assert harness.records() == [{"id": 1, "row": 1}, {"id": 2, "row": 2}]


def piped(harness: Harness, *messages: Any, **settings: Any) -> Source:
    """A source whose program pipes Singer messages into target-lorchestra."""
    tap = harness.root / "tap.singer"
    tap.write_text("".join(json.dumps(message) + "\n" for message in messages))
    target = Path(sys.executable).with_name("target-lorchestra")
    return Source(NAME, "command", {"command": ["/bin/sh", "-c", f"cat {tap} | {target}"], **settings})


SCHEMA = {"type": "SCHEMA", "stream": "notes", "schema": {"type": "object"}, "key_properties": ["id"]}


def note(number: int, version: int, stream: str = "notes") -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": {"id": number, "v": version}}


def test_the_key_of_a_stream_identifies_its_records_unless_a_key_is_declared(harness: Harness) -> None:
    harness.run(piped(harness, SCHEMA, note(1, 1), note(2, 1)))
    result = harness.run(piped(harness, SCHEMA, note(2, 2), note(3, 1)))
    assert (result.files, result.new_records, result.replaced) == ((RAW,), 2, 1)
    assert harness.records() == [{"id": 1, "v": 1}, {"id": 2, "v": 2}, {"id": 3, "v": 1}]
    assert harness.run(piped(harness, SCHEMA, note(3, 2), key=[])).records == 4


def test_several_streams_of_a_program_are_declared(harness: Harness) -> None:
    streams = {"notes": NAME, "a/b": f"{NAME}-ab"}
    result = harness.run(piped(harness, SCHEMA, note(1, 1), note(1, 1, "a/b"), streams=streams))
    assert result.files == (RAW, f"{NAME}-ab-20251112.jsonl")
    undeclared = harness.run(piped(harness, SCHEMA, note(1, 1), note(2, 1, "a/b")))
    assert (undeclared.status, undeclared.code) == ("failed", Code.CONFIG)
    assert "streams that are not declared: a/b, notes" in undeclared.message
    assert f"      a/b: {NAME}-a_b" in undeclared.advice


# A source that fails


def test_a_failure_is_retried_with_growing_waits_and_no_record_is_duplicated(harness: Harness) -> None:
    source = harness.program(
        """
        put({"id": "1"}, {"id": "2"})
        if attempt < 3:
            target.open("a").write('{"id": "3", "subj')
            sys.exit(1)
        put({"id": "3"})
        """
    )
    result = harness.run(source, Retry(enabled=True, max_attempts=3))
    assert (result.status, result.attempts, result.code) == ("ok", 3, None)
    assert harness.slept == [60, 120]
    assert harness.records() == [{"id": "1"}, {"id": "2"}, {"id": "3"}]
    assert harness.event("torn_lines_cut")["count"] == 2


def test_a_source_that_keeps_failing_publishes_what_it_delivered(harness: Harness) -> None:
    result = harness.run(harness.program('put({"id": str(attempt)}); sys.exit(1)'), Retry(enabled=True, max_attempts=2))
    assert (result.status, result.code, result.attempts) == ("partial", Code.SOURCE_FAILED, 2)
    assert (result.files, result.new_records) == ((RAW,), 2)
    assert harness.records() == [{"id": "1"}, {"id": "2"}]


@pytest.mark.parametrize(
    ("status", "code"), [(2, Code.USAGE), (5, Code.PERMISSION), (6, Code.NO_SPACE), (8, Code.BUSY)]
)
def test_a_program_can_declare_that_it_uses_our_exit_codes(harness: Harness, status: int, code: Code) -> None:
    source = harness.program(f"sys.exit({status})", exit_codes="ours")
    result = harness.run(source, Retry(enabled=True, max_attempts=3))
    assert (result.status, result.code, result.attempts) == ("failed", code, 1)
    assert harness.slept == []


@pytest.mark.parametrize("status", [1, 2, 3, 4, 5, 6, 7, 8, 22, 75, 77, 126, 127])
def test_the_exit_codes_of_foreign_programs_mean_failed_and_are_retried(harness: Harness, status: int) -> None:
    """curl 6 is an unknown host and 7 a refused connection; wget 4 is a network failure and 8 a server error."""
    result = harness.run(harness.program(f"sys.exit({status})"), Retry(enabled=True, max_attempts=2))
    assert (result.status, result.code, result.attempts) == ("failed", Code.SOURCE_FAILED, 2)


def test_a_line_that_is_not_json_is_not_retried(harness: Harness) -> None:
    source = harness.program("put({'id': 1}); target.open('a').write('not json\\n')")
    result = harness.run(source, Retry(enabled=True, max_attempts=3))
    assert (result.status, result.code, result.attempts) == ("failed", Code.NOT_JSONL, 1)


@pytest.mark.parametrize(
    ("script", "code", "what"),
    [
        ("sys.exit(1)", Code.SOURCE_FAILED, "ended with exit status 1"),
        ("os.kill(os.getpid(), signal.SIGKILL)", Code.COMPONENT_CRASHED, "was killed by signal 9"),
        ("time.sleep(60)", Code.TIMED_OUT, "was stopped at its time limit (timeout_seconds)"),
    ],
)
def test_temporary_failures_are_retried(harness: Harness, script: str, code: Code, what: str) -> None:
    result = harness.run(harness.program(script, timeout_seconds=0.5), Retry(enabled=True, max_attempts=2))
    assert (result.status, result.code, result.attempts) == ("failed", code, 2)
    assert result.message == f"the program {what}"
    assert harness.slept == [60]


def test_logs_of_an_earlier_run_are_removed(harness: Harness) -> None:
    harness.run(harness.program("sys.exit(1)"), Retry(enabled=True, max_attempts=3))
    assert len(list((harness.work / "logs").iterdir())) == 3
    result = harness.run(harness.program("put({'id': 1})"))
    assert list((harness.work / "logs").iterdir()) == [result.child_log]


def test_a_missing_program_is_named_and_not_retried(harness: Harness) -> None:
    source = Source(NAME, "command", {"command": ["/no/such/program"]})
    result = harness.run(source, Retry(enabled=True))
    assert (result.status, result.code, result.attempts) == ("failed", Code.COMPONENT_MISSING, 1)
    assert "/no/such/program" in result.message


def test_a_file_that_is_not_jsonl_is_refused_and_the_others_are_published(harness: Harness) -> None:
    source = harness.program(
        f"""
        put({{"id": "1"}})
        (out / f"{{name}}-20251113.jsonl").write_text('{{"id": "2"}}\\n{CANARY}\\n')
        """
    )
    result = harness.run(source)
    assert (result.status, result.code, result.files) == ("partial", Code.NOT_JSONL, (RAW,))
    assert result.message == f"{NAME}-20251113.jsonl: line 2 is not a JSON object"
    (aside,) = (harness.work / "refused" / NAME).glob("*/*")
    assert CANARY in aside.read_text()
    assert harness.staged() == []


def test_misnamed_files_are_refused_and_counted_and_never_lost(harness: Harness) -> None:
    source = harness.program(
        f"""
        put({{"id": "1"}})
        for other in ("jane.doe@example.org", "other-source-20251112", "{CANARY}\\n", name):
            (out / f"{{other}}.jsonl").write_text("{{}}\\n")
        (out / f"{{name}}-20251114.jsonl").mkdir()
        (out / f"{{name}}-20251115.jsonl").symlink_to("/etc/passwd")
        """
    )
    result = harness.run(source)
    assert (result.status, result.code, result.files) == ("partial", Code.CONFIG, (RAW,))
    assert harness.event("files_refused")["count"] == 6
    assert len(list((harness.work / "refused" / NAME).glob("*/*"))) == 6
    assert "6 files are neither named" in result.message
    assert f"{CANARY}\\n.jsonl" in result.message, "the owner of the records sees it on the terminal"
    assert CANARY not in json.dumps(harness.events()), "the log gets codes and counts"
    assert list(harness.raw.iterdir()) == [harness.raw / RAW]


def test_a_refused_file_is_reported_until_the_user_decides(harness: Harness) -> None:
    first = harness.run(harness.program('(out / "other.jsonl").write_text("{}\\n")'))
    assert (first.status, first.code, first.refused) == ("failed", Code.CONFIG, 1)
    again = harness.run(harness.program('put({"id": "1"})'))
    assert (again.status, again.code, again.refused) == ("partial", Code.CONFIG, 1)
    assert again.message == "1 refused file waits for a decision"
    repeated = harness.run(harness.program('(out / "other.jsonl").write_text("{}\\n")'))
    assert repeated.refused == 1, "an equal file is not kept twice"


def test_the_streams_of_a_program_are_declared(harness: Harness) -> None:
    script = """
        (out / "messages.jsonl").write_text('{"id": "a1", "payload": {}}\\n')
        (out / "message_list.jsonl").write_text('{"id": "a1", "threadId": "t1"}\\n')
    """
    result = harness.run(harness.program(script, streams={"messages": NAME, "message_list": None}))
    assert (result.status, result.files, result.discarded) == ("ok", (RAW,), 1)
    assert harness.records() == [{"id": "a1", "payload": {}}]


def test_a_raw_file_that_is_damaged_is_not_overwritten_and_nothing_staged_is_lost(harness: Harness) -> None:
    (harness.raw / RAW).write_text("damaged\n")
    result = harness.run(harness.program('put({"id": "1"})'))
    assert (result.status, result.code) == ("failed", Code.NOT_JSONL)
    assert RAW in result.message
    assert (harness.raw / RAW).read_text() == "damaged\n"
    (harness.raw / RAW).unlink()
    assert harness.run(harness.program("")).new_records == 1
    assert harness.records() == [{"id": "1"}]


def test_a_full_disk_loses_nothing_and_is_not_retried(harness: Harness) -> None:
    script = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        put(*({"id": str(n), "body": "x" * 100} for n in range(100)))
    """
    result = harness.run(
        harness.program(
            script.replace("resource.setrlimit", "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); resource.setrlimit")
        ),
        Retry(enabled=True),
    )
    assert (result.code, result.attempts) == (Code.NO_SPACE, 1)
    assert len(harness.records()) > 0
    harness.run(harness.program('put(*({"id": str(n), "body": "x" * 100} for n in range(100)))'))
    assert [record["id"] for record in harness.records()] == [str(n) for n in range(100)]


# Runs that meet, and runs that are killed

RUNNER = """
import sys
from pathlib import Path
from lorchestra.base import program
from lorchestra.history.log import Log
from lorchestra.planning.config import Retry, Source
from lorchestra.stages.extract.extraction import extract
root, script = Path(sys.argv[1]), sys.argv[2]
source = Source("gmail-messages-acct1", "command", {"command": [sys.executable, script]})
def body():
    result = extract(source, raw_dir=root / "phi/raw", work_dir=root / "phi/.work", retry=Retry(), date="20251112",
                     log=Log(root / "logs", "run-2"))
    return result.code.exit if result.code else 0
sys.exit(program.run("run", body))
"""


def start_run(harness: Harness, source: Source, until: Path) -> subprocess.Popen[bytes]:
    script = source.settings["command"][1]
    run = subprocess.Popen([sys.executable, "-c", RUNNER, str(harness.root), script], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not until.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return run


def slow(harness: Harness) -> Source:
    return harness.program(
        f"""
        if attempt == 1:
            put({{"id": "1"}})
            target.open("a").write('{{"id": "2", "torn')
            Path({str(harness.root / "pid")!r}).write_text(str(os.getpid()))
            Path({str(harness.root / "ready")!r}).touch()
            time.sleep(60)
        put({{"id": "2"}})
        """
    )


def test_a_second_run_of_a_source_at_the_same_time_is_busy(harness: Harness) -> None:
    source = slow(harness)
    first = start_run(harness, source, harness.root / "ready")
    result = harness.run(source)
    assert (result.status, result.code) == ("failed", Code.BUSY)
    assert NAME in result.message
    first.terminate()
    assert first.wait(10) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_records_of_an_interrupted_run_are_published_by_the_next(harness: Harness, number: signal.Signals) -> None:
    source = slow(harness)
    first = start_run(harness, source, harness.root / "ready")
    first.send_signal(number)
    assert first.wait(10) == 130
    assert len(harness.staged()) == 1
    result = harness.run(source)
    assert (result.status, result.new_records) == ("ok", 2)
    assert harness.records() == [{"id": "1"}, {"id": "2"}]
    assert harness.event("leftovers_found")["attempts"] == 1


def test_the_program_of_a_killed_run_is_stopped_before_the_next_begins(harness: Harness) -> None:
    source = slow(harness)
    first = start_run(harness, source, harness.root / "ready")
    first.kill()
    first.wait(10)
    orphan = Path(f"/proc/{(harness.root / 'pid').read_text()}/stat")
    assert orphan.exists()
    result = harness.run(source)
    assert (result.status, harness.records()) == ("ok", [{"id": "1"}, {"id": "2"}])
    assert not orphan.exists() or orphan.read_text().split()[2] == "Z"


# An inbox


def inbox(harness: Harness, mode: str = "move", **settings: Any) -> tuple[Path, Source]:
    path = harness.root / "inbox"
    path.mkdir(exist_ok=True)
    return path, Source("inbox-messages-all", "files", {"inbox": str(path), "mode": mode, **settings})


def put(path: Path, text: str, rested: bool = True) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def rested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorchestra.storage.listing.REST_SECONDS", 0)


@pytest.mark.usefixtures("rested")
def test_an_inbox_is_emptied_into_the_raw_directory(harness: Harness) -> None:
    path, source = inbox(harness)
    put(path / RAW, '{"id": "1"}\n')
    put(path / "contacts-dataverse-20251112.jsonl", '{"contactid": "1"}')
    (path / "note.txt").touch()
    result = harness.run(source)
    assert (result.status, result.files, result.new_records) == (
        "ok",
        ("contacts-dataverse-20251112.jsonl", RAW),
        2,
    )
    assert os.listdir(path) == ["note.txt"]
    assert harness.run(source).status == "empty"
    put(path / RAW, '{"id": "2"}\n')
    assert harness.run(source).records == 2


@pytest.mark.usefixtures("rested")
def test_an_inbox_that_is_copied_stays_unchanged(harness: Harness) -> None:
    path, source = inbox(harness, "copy", pattern="gmail-*.jsonl")
    put(path / RAW, '{"id": "1"}\n')
    put(path / "contacts-dataverse-20251112.jsonl", "{}\n")
    assert harness.run(source)[:3] == (source.name, "ok", (RAW,))
    before = state(harness.raw / RAW)
    again = harness.run(source)
    assert (again.status, again.files, again.records, again.new_records) == ("ok", (RAW,), 1, 0)
    assert state(harness.raw / RAW) == before
    assert len(os.listdir(path)) == 2


@pytest.mark.usefixtures("rested")
def test_compressed_files_of_an_inbox_are_adopted_and_damaged_ones_stay(harness: Harness) -> None:
    path, source = inbox(harness)
    whole = gzip.compress(b'{"id": "2"}\n{"id": "1"}\n')
    put(path / RAW, '{"id": "1"}\n')
    (path / f"{RAW}.gz").write_bytes(whole)
    (path / "contacts-dataverse-20251112.jsonl.gz").write_bytes(whole[:-9])
    for left in (["contacts-dataverse-20251112.jsonl.gz"], ["contacts-dataverse-20251112.jsonl.gz"]):
        result = harness.run(source)
        why = "the compressed data ends early: the file is truncated"
        assert (result.code, result.message) == (Code.NOT_JSONL, f"{left[0]}: {why}")
        assert os.listdir(path) == left
    assert harness.records() == [{"id": "1"}, {"id": "2"}]
    assert [raw.name for raw in harness.raw.iterdir()] == [RAW]


def test_compressed_files_of_a_program_are_merged_and_damaged_ones_refused(harness: Harness) -> None:
    script = """
        import gzip
        data = gzip.compress(b'{"id": "1"}\\n')
        (out / f"{target.name}.gz").write_bytes(data)
        (out / "others.jsonl.gz").write_bytes(data[:15] if attempt == 2 else data)
    """
    result = harness.run(harness.program(script, streams={"others": None}))
    assert (result.status, result.new_records, result.discarded) == ("ok", 1, 1)
    again = harness.run(harness.program(script, streams={"others": None}))
    assert (again.code, again.new_records, again.refused) == (Code.NOT_JSONL, 0, 1)
    assert harness.records() == [{"id": "1"}]


def test_a_file_that_may_still_be_written_is_left_for_the_next_run(harness: Harness) -> None:
    path, source = inbox(harness)
    put(path / RAW, '{"id": "1"}\n')
    stopped = threading.Event()

    def write_on() -> None:
        while not stopped.wait(0.1):
            os.utime(path / RAW)

    writer = threading.Thread(target=write_on)
    writer.start()
    result = harness.run(source)
    stopped.set()
    writer.join()
    assert (result.status, result.waiting) == ("empty", 1)
    assert harness.event("files_waiting")["count"] == 1
    assert (path / RAW).exists()


def test_a_file_that_was_just_copied_is_waited_for(harness: Harness) -> None:
    path, source = inbox(harness)
    put(path / RAW, '{"id": "1"}\n')
    assert harness.run(source).status == "ok"


@pytest.mark.usefixtures("rested")
def test_a_file_that_a_stalled_writer_holds_open_is_left_for_the_next_run(harness: Harness) -> None:
    path, source = inbox(harness)
    with (path / RAW).open("w") as writer:
        writer.write('{"id": "1"}\n')
        writer.flush()
        assert harness.run(source).status == "empty"
        writer.write('{"id": "2"}\n')
    assert harness.run(source).records == 2


@pytest.mark.usefixtures("rested")
def test_a_bad_file_stays_in_the_inbox_and_the_others_are_adopted(harness: Harness) -> None:
    path, source = inbox(harness)
    put(path / RAW, f'{{"id": "1"}}\n{{"torn": "{CANARY}')
    put(path / "contacts-dataverse-20251112.jsonl", "{}\n")
    for _ in range(2):
        result = harness.run(source)
        assert (result.code, result.message) == (Code.NOT_JSONL, f"{RAW}: line 2 is not a JSON object")
        assert os.listdir(path) == [RAW]
    assert not (harness.work / "refused").exists()


@pytest.mark.usefixtures("rested")
def test_odd_names_links_and_pipes_stay_in_the_inbox(harness: Harness) -> None:
    path, source = inbox(harness)
    put(path / f"{CANARY}@example.org.jsonl", "{}\n")
    (path / RAW).symlink_to("/etc/hostname")
    os.mkfifo(path / "contacts-dataverse-20251112.jsonl")
    result = harness.run(source)
    assert (result.status, result.code) == ("failed", Code.CONFIG)
    assert result.message == f"misnamed files in the inbox: {CANARY}@example.org.jsonl; {result.warning}"
    assert (
        result.warning
        == f"left in the inbox, no plain files that match `pattern`: contacts-dataverse-20251112.jsonl, {RAW}"
    )
    assert len(os.listdir(path)) == 3
    assert list(harness.raw.iterdir()) == []


@pytest.mark.usefixtures("rested")
def test_records_that_share_an_id_are_all_kept(harness: Harness) -> None:
    """Four rows of an export, three of them with the patient's id."""
    path, source = inbox(harness)
    rows = [{"id": 7, "visit": "a"}, {"id": 7, "visit": "b"}, {"id": 7, "visit": "c"}, {"id": 8, "visit": "c"}]
    put(path / RAW, "".join(json.dumps(row) + "\n" for row in rows))
    result = harness.run(source)
    assert (result.status, result.records, result.replaced) == ("ok", 4, 0)
    assert harness.records() == rows


@pytest.mark.usefixtures("rested")
def test_a_misnamed_file_does_not_hide_a_torn_one(harness: Harness) -> None:
    path, source = inbox(harness)
    put(path / "notes (1)-20261120.jsonl", "{}\n")
    put(path / RAW, '{"id":"1"}\n{"id":"2","text":"half a rec')
    put(path / "contacts-dataverse-20251112.jsonl", "{}\n")
    result = harness.run(source)
    assert result.files == ("contacts-dataverse-20251112.jsonl",)
    assert "misnamed files in the inbox: notes (1)-20261120.jsonl" in result.message
    assert f"{RAW}: line 2 is not a JSON object" in result.message
    assert sorted(os.listdir(path)) == [RAW, "notes (1)-20261120.jsonl"]
    assert (path / RAW).read_text().endswith("half a rec")
    assert not (harness.raw / RAW).exists()


def test_an_inbox_must_exist_and_be_closed_to_others(harness: Harness) -> None:
    path, source = inbox(harness)
    path.chmod(0o755)
    result = harness.run(source)
    assert result.code is Code.INSECURE
    assert result.message == f"{path}: others can read the inbox. Run: chmod 700 {path}"
    path.rmdir()
    assert harness.run(source).code is Code.MISSING


# Rules that hold for every type


def test_nothing_of_a_record_reaches_the_log(harness: Harness) -> None:
    source = harness.program(
        f"""
        put({{"id": "{CANARY}", "{CANARY}": "{CANARY}"}})
        print("{CANARY}"); print("{CANARY}", file=sys.stderr)
        (out / "{CANARY}.jsonl").write_text("{CANARY}")
        target.open("a").write("{CANARY}")
        raise SystemExit("{CANARY}")
        """
    )
    harness.run(source, Retry(enabled=True, max_attempts=2))
    assert harness.events()
    for path in [*(harness.root / "logs").iterdir()]:
        assert CANARY not in path.read_text()
    assert CANARY.encode() in b"".join(p.read_bytes() for p in (harness.work / "logs").iterdir())


def test_only_meltano_entries_stand_for_several_sources(harness: Harness) -> None:
    source = harness.program("")
    assert expand(source) == (source,)


# What a run shows instead of staying silent


@pytest.mark.usefixtures("rested")
def test_a_directory_in_an_inbox_is_reported(harness: Harness) -> None:
    path, source = inbox(harness)
    (path / "week-48").mkdir()
    put(path / "week-48" / RAW, "{}\n")
    result = harness.run(source)
    assert (result.status, result.code) == ("empty", None)
    assert result.warning == "left in the inbox, 1 directory"
    put(path / "notes.pdf", "")
    warning = "left in the inbox, no plain files that match `pattern`: notes.pdf and 1 directory"
    assert harness.run(source).warning == warning


@pytest.mark.usefixtures("rested")
def test_a_failed_source_still_shows_its_warning(harness: Harness) -> None:
    path, source = inbox(harness)
    put(path / "notes (1)-20261120.jsonl", "{}\n")
    put(path / f"{NAME}-20251112.jsonl.part", "{}\n")
    result = harness.run(source)
    assert (result.status, result.code) == ("failed", Code.CONFIG)
    assert "misnamed files in the inbox: notes (1)-20261120.jsonl" in result.message
    assert f"left in the inbox, no plain files that match `pattern`: {NAME}-20251112.jsonl.part" in result.message


def test_records_on_stdout_instead_of_in_a_file_are_noticed(harness: Harness) -> None:
    result = harness.run(harness.program("print('starting'); print(json.dumps({'id': 'PHI-Canary-7f3a'}))"))
    assert (result.status, result.code) == ("empty", None)
    assert result.warning == (
        "the program printed JSON and left no file; if these are records, it must write them to $LORCHESTRA_OUTPUT"
    )
    assert harness.run(harness.program("print('nothing new today'); print('{braces} are not JSON')")).warning == ""


def test_a_source_that_usually_delivers_and_returns_nothing_is_noticed(harness: Harness) -> None:
    for number in range(5):
        assert harness.run(harness.program(f"put({{'id': {number}}})")).warning == ""
    silent = harness.run(harness.program("pass"))
    assert (silent.status, silent.warning) == ("empty", "delivered nothing; 5 of its last 5 runs delivered records")
    assert "6 runs" in harness.run(harness.program("pass")).warning
    for _ in range(3):
        harness.run(harness.program("pass"))
    assert harness.run(harness.program("pass")).warning == "", "by now it is usual that nothing comes"


def test_no_more_than_eight_programs_of_sources_run_at_once(harness: Harness) -> None:
    (harness.root / "running").mkdir()
    script = f"""
        running = Path({str(harness.root / "running")!r})
        (running / name).touch()
        seen = len(list(running.iterdir()))
        time.sleep(0.3)
        put({{"seen": seen}})
        (running / name).unlink()
    """
    sources = [dataclasses.replace(harness.program(script), name=f"source-{number}") for number in range(20)]
    with ThreadPoolExecutor(20) as threads:
        results = list(threads.map(harness.run, sources))
    assert {result.status for result in results} == {"ok"}
    most = max(record["seen"] for file in harness.raw.iterdir() for record in harness.records(file.name))
    assert 1 <= most <= 8
