"""A source is asked, tried again, published whole or in part, and never loses a record. The programs are real."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Code
from lorchestra.planning.config import Retry, Source
from lorchestra.stages.extract.extraction import expand
from tests.stages.harness import CANARY, NAME, RAW, House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as house:
        yield house


def state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


# A source that works


def test_the_sampler_s_files_are_published_and_a_second_run_touches_nothing(house: House) -> None:
    settings = {"kind": "gmail-messages", "start": "20251110", "days": 3, "records": 5, "seed": 7}
    source = Source(NAME, "sample", settings)
    result = house.ask(source)
    names = tuple(f"{NAME}-2025111{day}.jsonl" for day in range(3))
    assert (result.status, result.code, result.files) == ("ok", None, names)
    assert (result.records, result.new_records, result.attempts) == (15, 15, 1)
    assert result.child_log and stat.S_IMODE(result.child_log.stat().st_mode) == 0o600
    before = [state(house.raw / name) for name in names]
    again = house.ask(source)
    assert (again.status, again.files, again.records, again.new_records) == ("ok", names, 15, 0)
    assert [state(house.raw / name) for name in names] == before
    assert house.staged() == []


def test_a_program_learns_where_to_write_and_its_settings_reach_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "named")
    monkeypatch.setenv("OTHER_TOKEN", "not named")
    source = house.program(
        """
        assert sys.argv[1] == f"--to={out}/x", sys.argv
        assert os.environ["API_TOKEN"] == "named" and "OTHER_TOKEN" not in os.environ
        assert list(out.iterdir()) == [] and out.stat().st_mode & 0o777 == 0o700
        assert Path(os.environ["TMPDIR"]).is_dir()
        put({"id": "1"}, {"id": "2"})
        """,
        pass_env=["API_TOKEN"],
        cwd=str(house.root),
    )
    command = [*source.settings["command"], "--to={output}/x"]
    result = house.ask(dataclasses.replace(source, settings={**source.settings, "command": command}))
    assert (result.status, result.records) == ("ok", 2), result.child_log and result.child_log.read_text()


def test_nothing_to_give_is_no_failure_and_leaves_the_earlier_file_alone(house: House) -> None:
    house.ask(house.program('put({"id": "1"})'))
    before = state(house.raw / RAW)
    for script in ("", "target.touch()"):
        assert house.ask(house.program(script))[:3] == (NAME, "empty", ())
        assert state(house.raw / RAW) == before


def test_a_second_run_of_the_day_adds_to_the_day_s_file(house: House) -> None:
    house.ask(house.program('put({"id": "1", "v": 1}, {"id": "2", "v": 1})', key=["id"]))
    result = house.ask(house.program('put({"id": "2", "v": 2}, {"id": "3", "v": 1})', key=["id"]))
    assert (result.status, result.records, result.new_records, result.replaced) == ("ok", 3, 2, 1)
    assert house.records() == [{"id": "1", "v": 1}, {"id": "2", "v": 2}, {"id": "3", "v": 1}]
    assert house.event("records_replaced")["count"] == 1


def test_the_key_can_be_named(house: House) -> None:
    script = 'put({"id": 1, "row": 1}, {"id": 1, "row": 2}, {"id": 2, "row": 2})'
    house.ask(house.program(script, key=["row"]))
    assert house.records() == [{"id": 1, "row": 1}, {"id": 2, "row": 2}]


# A source that fails


def test_a_failure_is_tried_again_with_growing_waits_and_no_record_comes_twice(house: House) -> None:
    source = house.program(
        """
        put({"id": "1"}, {"id": "2"})
        if attempt < 3:
            target.open("a").write('{"id": "3", "subj')
            sys.exit(1)
        put({"id": "3"})
        """
    )
    result = house.ask(source, Retry(enabled=True, max_attempts=3))
    assert (result.status, result.attempts, result.code) == ("ok", 3, None)
    assert house.slept == [60, 120]
    assert house.records() == [{"id": "1"}, {"id": "2"}, {"id": "3"}]
    assert house.event("torn_lines_cut")["count"] == 2


def test_a_source_that_goes_on_failing_publishes_what_it_got(house: House) -> None:
    result = house.ask(house.program('put({"id": str(attempt)}); sys.exit(1)'), Retry(enabled=True, max_attempts=2))
    assert (result.status, result.code, result.attempts) == ("partial", Code.SOURCE_FAILED, 2)
    assert (result.files, result.new_records) == ((RAW,), 2)
    assert house.records() == [{"id": "1"}, {"id": "2"}]


@pytest.mark.parametrize(
    ("status", "code"), [(2, Code.USAGE), (5, Code.PERMISSION), (6, Code.NO_SPACE), (8, Code.BUSY)]
)
def test_a_program_can_declare_that_it_uses_our_exit_codes(house: House, status: int, code: Code) -> None:
    source = house.program(f"sys.exit({status})", exit_codes="ours")
    result = house.ask(source, Retry(enabled=True, max_attempts=3))
    assert (result.status, result.code, result.attempts) == ("failed", code, 1)
    assert house.slept == []


@pytest.mark.parametrize("status", [1, 2, 3, 4, 5, 6, 7, 8, 22, 75, 77, 126, 127])
def test_the_exit_codes_of_foreign_programs_mean_failed_and_are_retried(house: House, status: int) -> None:
    """curl 6 is an unknown host and 7 a refused connection; wget 4 is a network failure and 8 a server error."""
    result = house.ask(house.program(f"sys.exit({status})"), Retry(enabled=True, max_attempts=2))
    assert (result.status, result.code, result.attempts) == ("failed", Code.SOURCE_FAILED, 2)


def test_a_line_that_is_not_json_is_not_retried(house: House) -> None:
    source = house.program("put({'id': 1}); target.open('a').write('not json\\n')")
    result = house.ask(source, Retry(enabled=True, max_attempts=3))
    assert (result.status, result.code, result.attempts) == ("failed", Code.NOT_JSONL, 1)


@pytest.mark.parametrize(
    ("script", "code", "what"),
    [
        ("sys.exit(1)", Code.SOURCE_FAILED, "ended with exit status 1"),
        ("os.kill(os.getpid(), signal.SIGKILL)", Code.COMPONENT_CRASHED, "was killed by signal 9"),
        ("time.sleep(60)", Code.TIMED_OUT, "was stopped at its time limit (timeout_seconds)"),
    ],
)
def test_what_may_pass_is_tried_again(house: House, script: str, code: Code, what: str) -> None:
    result = house.ask(house.program(script, timeout_seconds=0.5), Retry(enabled=True, max_attempts=2))
    assert (result.status, result.code, result.attempts) == ("failed", code, 2)
    assert result.message == f"the program {what}"
    assert house.slept == [60]


def test_an_earlier_run_s_logs_do_not_stay(house: House) -> None:
    house.ask(house.program("sys.exit(1)"), Retry(enabled=True, max_attempts=3))
    assert len(list((house.work / "logs").iterdir())) == 3
    result = house.ask(house.program("put({'id': 1})"))
    assert list((house.work / "logs").iterdir()) == [result.child_log]


def test_a_missing_program_says_so_and_is_not_sought_again(house: House) -> None:
    source = Source(NAME, "command", {"command": ["/no/such/program"]})
    result = house.ask(source, Retry(enabled=True))
    assert (result.status, result.code, result.attempts) == ("failed", Code.COMPONENT_MISSING, 1)
    assert "/no/such/program" in result.message


def test_a_file_that_is_no_jsonl_is_kept_aside_and_the_others_are_published(house: House) -> None:
    source = house.program(
        f"""
        put({{"id": "1"}})
        (out / f"{{name}}-20251113.jsonl").write_text('{{"id": "2"}}\\n{CANARY}\\n')
        """
    )
    result = house.ask(source)
    assert (result.status, result.code, result.files) == ("partial", Code.NOT_JSONL, (RAW,))
    assert result.message == f"{NAME}-20251113.jsonl: line 2 is not a JSON object"
    (aside,) = (house.work / "refused" / NAME).glob("*/*")
    assert CANARY in aside.read_text()
    assert house.staged() == []


def test_names_that_leave_the_convention_are_refused_counted_and_never_lost(house: House) -> None:
    source = house.program(
        f"""
        put({{"id": "1"}})
        for other in ("jane.doe@example.org", "other-source-20251112", "{CANARY}\\n", name):
            (out / f"{{other}}.jsonl").write_text("{{}}\\n")
        (out / f"{{name}}-20251114.jsonl").mkdir()
        (out / f"{{name}}-20251115.jsonl").symlink_to("/etc/passwd")
        """
    )
    result = house.ask(source)
    assert (result.status, result.code, result.files) == ("partial", Code.CONFIG, (RAW,))
    assert house.event("files_refused")["count"] == 6
    assert len(list((house.work / "refused" / NAME).glob("*/*"))) == 6
    assert CANARY not in result.message
    assert list(house.raw.iterdir()) == [house.raw / RAW]


def test_a_refused_file_is_reported_until_the_user_decides(house: House) -> None:
    first = house.ask(house.program('(out / "other.jsonl").write_text("{}\\n")'))
    assert (first.status, first.code, first.refused) == ("failed", Code.CONFIG, 1)
    again = house.ask(house.program('put({"id": "1"})'))
    assert (again.status, again.code, again.refused) == ("partial", Code.CONFIG, 1)
    assert again.message == "1 refused file waits for a decision"
    repeated = house.ask(house.program('(out / "other.jsonl").write_text("{}\\n")'))
    assert repeated.refused == 1, "an equal file is not kept twice"


def test_the_streams_of_a_program_are_declared(house: House) -> None:
    script = """
        (out / "messages.jsonl").write_text('{"id": "a1", "payload": {}}\\n')
        (out / "message_list.jsonl").write_text('{"id": "a1", "threadId": "t1"}\\n')
    """
    result = house.ask(house.program(script, streams={"messages": NAME, "message_list": None}))
    assert (result.status, result.files, result.discarded) == ("ok", (RAW,), 1)
    assert house.records() == [{"id": "a1", "payload": {}}]


def test_a_raw_file_that_is_damaged_is_not_overwritten_and_nothing_staged_is_lost(house: House) -> None:
    (house.raw / RAW).write_text("damaged\n")
    result = house.ask(house.program('put({"id": "1"})'))
    assert (result.status, result.code) == ("failed", Code.NOT_JSONL)
    assert RAW in result.message
    assert (house.raw / RAW).read_text() == "damaged\n"
    (house.raw / RAW).unlink()
    assert house.ask(house.program("")).new_records == 1
    assert house.records() == [{"id": "1"}]


def test_a_full_disk_loses_nothing_and_is_not_tried_again(house: House) -> None:
    script = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        put(*({"id": str(n), "body": "x" * 100} for n in range(100)))
    """
    result = house.ask(
        house.program(
            script.replace("resource.setrlimit", "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); resource.setrlimit")
        ),
        Retry(enabled=True),
    )
    assert (result.code, result.attempts) == (Code.NO_SPACE, 1)
    assert len(house.records()) > 0
    house.ask(house.program('put(*({"id": str(n), "body": "x" * 100} for n in range(100)))'))
    assert [record["id"] for record in house.records()] == [str(n) for n in range(100)]


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


def start_run(house: House, source: Source, until: Path) -> subprocess.Popen[bytes]:
    script = source.settings["command"][1]
    run = subprocess.Popen([sys.executable, "-c", RUNNER, str(house.root), script], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not until.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return run


def slow(house: House) -> Source:
    return house.program(
        f"""
        if attempt == 1:
            put({{"id": "1"}})
            target.open("a").write('{{"id": "2", "torn')
            Path({str(house.root / "pid")!r}).write_text(str(os.getpid()))
            Path({str(house.root / "ready")!r}).touch()
            time.sleep(60)
        put({{"id": "2"}})
        """
    )


def test_two_runs_of_one_source_at_once_the_second_is_told_so(house: House) -> None:
    source = slow(house)
    first = start_run(house, source, house.root / "ready")
    result = house.ask(source)
    assert (result.status, result.code) == ("failed", Code.BUSY)
    assert NAME in result.message
    first.terminate()
    assert first.wait(10) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_s_records_are_published_by_the_next(house: House, number: signal.Signals) -> None:
    source = slow(house)
    first = start_run(house, source, house.root / "ready")
    first.send_signal(number)
    assert first.wait(10) == 130
    assert len(house.staged()) == 1
    result = house.ask(source)
    assert (result.status, result.new_records) == ("ok", 2)
    assert house.records() == [{"id": "1"}, {"id": "2"}]
    assert house.event("leftovers_found")["attempts"] == 1


def test_the_program_of_a_killed_run_is_ended_before_the_next_begins(house: House) -> None:
    source = slow(house)
    first = start_run(house, source, house.root / "ready")
    first.kill()
    first.wait(10)
    orphan = Path(f"/proc/{(house.root / 'pid').read_text()}/stat")
    assert orphan.exists()
    result = house.ask(source)
    assert (result.status, house.records()) == ("ok", [{"id": "1"}, {"id": "2"}])
    assert not orphan.exists() or orphan.read_text().split()[2] == "Z"


# An inbox


def inbox(house: House, mode: str = "move", **settings: Any) -> tuple[Path, Source]:
    path = house.root / "inbox"
    path.mkdir(exist_ok=True)
    return path, Source("inbox-messages-all", "files", {"inbox": str(path), "mode": mode, **settings})


def put(path: Path, text: str, rested: bool = True) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def rested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorchestra.stages.extract.sources.files.REST_SECONDS", 0)


@pytest.mark.usefixtures("rested")
def test_an_inbox_is_emptied_into_the_raw_directory(house: House) -> None:
    path, source = inbox(house)
    put(path / RAW, '{"id": "1"}\n')
    put(path / "contacts-dataverse-20251112.jsonl", '{"contactid": "1"}')
    (path / "note.txt").touch()
    result = house.ask(source)
    assert (result.status, result.files, result.new_records) == (
        "ok",
        ("contacts-dataverse-20251112.jsonl", RAW),
        2,
    )
    assert os.listdir(path) == ["note.txt"]
    assert house.ask(source).status == "empty"
    put(path / RAW, '{"id": "2"}\n')
    assert house.ask(source).records == 2


@pytest.mark.usefixtures("rested")
def test_an_inbox_can_be_copied_and_is_then_left_as_it_is(house: House) -> None:
    path, source = inbox(house, "copy", pattern="gmail-*.jsonl")
    put(path / RAW, '{"id": "1"}\n')
    put(path / "contacts-dataverse-20251112.jsonl", "{}\n")
    assert house.ask(source)[:3] == (source.name, "ok", (RAW,))
    before = state(house.raw / RAW)
    again = house.ask(source)
    assert (again.status, again.files, again.records, again.new_records) == ("ok", (RAW,), 1, 0)
    assert state(house.raw / RAW) == before
    assert len(os.listdir(path)) == 2


def test_a_file_that_may_still_be_written_is_left_for_the_next_run(house: House) -> None:
    path, source = inbox(house)
    put(path / RAW, '{"id": "1"}\n')
    assert house.ask(source).status == "empty"
    assert house.event("files_waiting")["count"] == 1
    assert (path / RAW).exists()


@pytest.mark.usefixtures("rested")
def test_a_file_that_a_stalled_writer_holds_open_is_left_for_the_next_run(house: House) -> None:
    path, source = inbox(house)
    with (path / RAW).open("w") as writer:
        writer.write('{"id": "1"}\n')
        writer.flush()
        assert house.ask(source).status == "empty"
        writer.write('{"id": "2"}\n')
    assert house.ask(source).records == 2


@pytest.mark.usefixtures("rested")
def test_a_bad_file_stays_in_the_inbox_and_the_others_are_adopted(house: House) -> None:
    path, source = inbox(house)
    put(path / RAW, f'{{"id": "1"}}\n{{"torn": "{CANARY}')
    put(path / "contacts-dataverse-20251112.jsonl", "{}\n")
    for _ in range(2):
        result = house.ask(source)
        assert (result.code, result.message) == (Code.NOT_JSONL, f"{RAW}: line 2 is not a JSON object")
        assert os.listdir(path) == [RAW]
    assert not (house.work / "refused").exists()


@pytest.mark.usefixtures("rested")
def test_odd_names_links_and_pipes_stay_in_the_inbox(house: House) -> None:
    path, source = inbox(house)
    put(path / f"{CANARY}@example.org.jsonl", "{}\n")
    (path / RAW).symlink_to("/etc/hostname")
    os.mkfifo(path / "contacts-dataverse-20251112.jsonl")
    result = house.ask(source)
    assert (result.status, result.code) == ("failed", Code.CONFIG)
    assert result.message == f"misnamed files in the inbox: {CANARY}@example.org.jsonl; {result.warning}"
    assert (
        result.warning
        == f"left in the inbox, no plain files that match `pattern`: contacts-dataverse-20251112.jsonl, {RAW}"
    )
    assert len(os.listdir(path)) == 3
    assert list(house.raw.iterdir()) == []


@pytest.mark.usefixtures("rested")
def test_records_that_share_an_id_are_all_kept(house: House) -> None:
    """Four rows of an export, three of them with the patient's id."""
    path, source = inbox(house)
    rows = [{"id": 7, "visit": "a"}, {"id": 7, "visit": "b"}, {"id": 7, "visit": "c"}, {"id": 8, "visit": "c"}]
    put(path / RAW, "".join(json.dumps(row) + "\n" for row in rows))
    result = house.ask(source)
    assert (result.status, result.records, result.replaced) == ("ok", 4, 0)
    assert house.records() == rows


@pytest.mark.usefixtures("rested")
def test_a_misnamed_file_does_not_hide_a_torn_one(house: House) -> None:
    path, source = inbox(house)
    put(path / "notes (1)-20261120.jsonl", "{}\n")
    put(path / RAW, '{"id":"1"}\n{"id":"2","text":"half a rec')
    put(path / "contacts-dataverse-20251112.jsonl", "{}\n")
    result = house.ask(source)
    assert result.files == ("contacts-dataverse-20251112.jsonl",)
    assert "misnamed files in the inbox: notes (1)-20261120.jsonl" in result.message
    assert f"{RAW}: line 2 is not a JSON object" in result.message
    assert sorted(os.listdir(path)) == [RAW, "notes (1)-20261120.jsonl"]
    assert (path / RAW).read_text().endswith("half a rec")
    assert not (house.raw / RAW).exists()


def test_an_inbox_must_be_there_and_closed_to_others(house: House) -> None:
    path, source = inbox(house)
    path.chmod(0o755)
    result = house.ask(source)
    assert result.code is Code.INSECURE
    assert result.message == f"{path}: others can read the inbox. Run: chmod 700 {path}"
    path.rmdir()
    assert house.ask(source).code is Code.MISSING


# Rules that hold for every type


def test_no_word_of_a_record_reaches_the_log(house: House) -> None:
    source = house.program(
        f"""
        put({{"id": "{CANARY}", "{CANARY}": "{CANARY}"}})
        print("{CANARY}"); print("{CANARY}", file=sys.stderr)
        (out / "{CANARY}.jsonl").write_text("{CANARY}")
        target.open("a").write("{CANARY}")
        raise SystemExit("{CANARY}")
        """
    )
    house.ask(source, Retry(enabled=True, max_attempts=2))
    assert house.events()
    for path in [*(house.root / "logs").iterdir()]:
        assert CANARY not in path.read_text()
    assert CANARY.encode() in b"".join(p.read_bytes() for p in (house.work / "logs").iterdir())


def test_only_meltano_entries_stand_for_several_sources(house: House) -> None:
    source = house.program("")
    assert expand(source) == (source,)


# What a run shows instead of staying silent


@pytest.mark.usefixtures("rested")
def test_a_directory_in_an_inbox_is_reported(house: House) -> None:
    path, source = inbox(house)
    (path / "week-48").mkdir()
    put(path / "week-48" / RAW, "{}\n")
    result = house.ask(source)
    assert (result.status, result.code) == ("empty", None)
    assert result.warning == "left in the inbox, no plain files that match `pattern`: week-48"


@pytest.mark.usefixtures("rested")
def test_a_failed_source_still_shows_its_warning(house: House) -> None:
    path, source = inbox(house)
    put(path / "notes (1)-20261120.jsonl", "{}\n")
    put(path / f"{NAME}-20251112.jsonl.part", "{}\n")
    result = house.ask(source)
    assert (result.status, result.code) == ("failed", Code.CONFIG)
    assert "misnamed files in the inbox: notes (1)-20261120.jsonl" in result.message
    assert f"left in the inbox, no plain files that match `pattern`: {NAME}-20251112.jsonl.part" in result.message


def test_records_on_stdout_instead_of_in_a_file_are_noticed(house: House) -> None:
    result = house.ask(house.program("print('starting'); print(json.dumps({'id': 'PHI-Canary-7f3a'}))"))
    assert (result.status, result.code) == ("empty", None)
    assert result.warning == (
        "the program printed JSON and left no file; if these are records, it must write them to $LORCHESTRA_OUTPUT"
    )
    assert house.ask(house.program("print('nothing new today'); print('{braces} are not JSON')")).warning == ""


def test_a_source_that_usually_delivers_and_returns_nothing_is_noticed(house: House) -> None:
    for number in range(5):
        assert house.ask(house.program(f"put({{'id': {number}}})")).warning == ""
    silent = house.ask(house.program("pass"))
    assert (silent.status, silent.warning) == ("empty", "delivered nothing; 5 of its last 5 runs delivered records")
    assert "6 runs" in house.ask(house.program("pass")).warning
    for _ in range(3):
        house.ask(house.program("pass"))
    assert house.ask(house.program("pass")).warning == "", "by now it is usual that nothing comes"


def test_no_more_than_eight_programs_of_sources_run_at_once(house: House) -> None:
    (house.root / "running").mkdir()
    script = f"""
        running = Path({str(house.root / "running")!r})
        (running / name).touch()
        seen = len(list(running.iterdir()))
        time.sleep(0.3)
        put({{"seen": seen}})
        (running / name).unlink()
    """
    sources = [dataclasses.replace(house.program(script), name=f"source-{number}") for number in range(20)]
    with ThreadPoolExecutor(20) as threads:
        results = list(threads.map(house.ask, sources))
    assert {result.status for result in results} == {"ok"}
    most = max(record["seen"] for file in house.raw.iterdir() for record in house.records(file.name))
    assert 1 <= most <= 8
