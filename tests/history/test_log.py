"""The log is data: whole private lines, of known fields, that every JSON reader takes."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorchestra.history.log import Log, timestamp


def events(directory: Path) -> list[dict[str, Any]]:
    (file,) = directory.iterdir()
    assert re.fullmatch(r"pipeline-[0-9]{8}\.log", file.name)
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def test_an_event_has_the_fields_of_the_specification(tmp_path: Path) -> None:
    old = os.umask(0)
    Log(tmp_path, "run-1").event("task_progress", "extract", task="extract:gmail-messages-a", records=3, rejected=0)
    os.umask(old)
    (event,) = events(tmp_path)
    assert list(event) == ["timestamp", "level", "run_id", "seq", "stage", "event", "metadata"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("timestamp"))
    assert event == {
        "level": "INFO", "run_id": "run-1", "seq": 1, "stage": "extract", "event": "task_progress",
        "metadata": {"task": "extract:gmail-messages-a", "records": 3, "rejected": 0},
    }  # fmt: skip
    assert stat.S_IMODE(next(tmp_path.iterdir()).stat().st_mode) == 0o600


def test_a_level_below_the_configured_one_is_left_out(tmp_path: Path) -> None:
    log = Log(tmp_path, "run-1", "WARNING")
    for level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        log.event("stage_started", level=level)
    assert [event["level"] for event in events(tmp_path)] == ["WARNING", "ERROR"]


@pytest.mark.parametrize("name", ["", "Failed", "failed: Canary", "a\nb", "é"])
def test_an_event_is_a_constant_and_no_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="listed in") as caught:
        Log(tmp_path, "run-1").event(name)
    assert "Canary" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(), max_size=50))
def test_no_text_forges_or_breaks_a_line(tmp_path: Path, text: str) -> None:
    for file in tmp_path.iterdir():
        file.unlink()
    log = Log(tmp_path, "run-1")
    log.event("raw_file_unmatched", file=text)
    log.event("raw_file_unmatched", file="next")
    assert [event["metadata"]["file"] for event in events(tmp_path)] == [
        text.encode("utf-8", "backslashreplace").decode(),
        "next",
    ]
    assert all(32 <= byte < 127 for byte in next(tmp_path.iterdir()).read_bytes().replace(b"\n", b""))


def test_the_odd_bytes_of_a_files_name_are_escaped(tmp_path: Path) -> None:
    Log(tmp_path, "run-1").event("raw_file_unmatched", file=os.fsdecode(b"a\xff\n\x1b[2J"))
    assert events(tmp_path)[0]["metadata"]["file"] == "a\\udcff\n\x1b[2J"


def test_long_text_is_cut(tmp_path: Path) -> None:
    Log(tmp_path, "run-1").event("raw_file_unmatched", file="x" * 10_000)
    assert len(events(tmp_path)[0]["metadata"]["file"]) == 500


def test_a_line_that_a_crash_tore_costs_no_other(tmp_path: Path) -> None:
    log = Log(tmp_path, "run-1")
    log.event("run_started")
    (file,) = tmp_path.iterdir()
    with file.open("ab") as torn:
        torn.write(b'{"timestamp": "2025-')
    log.event("run_finished")
    lines = file.read_bytes().splitlines()
    assert [json.loads(line)["event"] for line in (lines[0], lines[2])] == ["run_started", "run_finished"]


def test_processes_that_write_at_once_never_mix_their_lines(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from lorchestra.history.log import Log
log = Log(Path(sys.argv[1]), sys.argv[2])
for number in range(200):
    log.event("attempt_failed", attempt=number, source=sys.argv[2] * 300)
"""
    writers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    seen = [(event["run_id"], event["metadata"]["attempt"]) for event in events(tmp_path)]
    assert sorted(seen) == [(name, number) for name in "abc" for number in range(200)]


def test_times_are_in_utc() -> None:
    moment = datetime(2025, 11, 12, 11, 30, 45, 123456, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(moment) == timestamp(moment.astimezone(UTC)) == "2025-11-12T10:30:45.123Z"


@pytest.mark.parametrize("zone", ["Etc/GMT-14", "Etc/GMT+12"])
def test_the_log_of_a_day_is_named_by_the_local_date(tmp_path: Path, zone: str) -> None:
    """The dates of the two zones always differ, so one of them is not that of UTC."""
    script = f"""
import datetime, pathlib
from lorchestra.history.log import Log
before = datetime.date.today()
Log(pathlib.Path({str(tmp_path)!r}), "run").event("run_started")
print(f"{{before:%Y%m%d}} {{datetime.date.today():%Y%m%d}}")
"""
    environment = {**os.environ, "TZ": zone}
    dates = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    (file,) = tmp_path.iterdir()
    assert file.name.removeprefix("pipeline-").removesuffix(".log") in dates.stdout.split()
