"""The journal reads what runs wrote, incrementally, and survives damaged lines."""

from __future__ import annotations

import json
from pathlib import Path

from lorchestra.dashboard.journal import Journal


def run(number: int) -> dict[str, object]:
    began = f"2025-01-01T00:00:00.{number % 1000:03d}Z"
    return {"run_id": f"run-{number}", "began": began, "ended": began, "status": "SUCCESS", "stages": {}}


def test_runs_are_numbered_from_the_oldest_and_read_in_part(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    file.write_text("".join(json.dumps(run(number)) + "\n" for number in range(100_000)))
    journal = Journal(tmp_path, tmp_path)
    assert journal.count() == 100_000
    assert [found["run_id"] for found in journal.runs(99_998, 50)] == ["run-99998", "run-99999"]
    assert [found["number"] for found in journal.last(2)] == [99_998, 99_999]
    with file.open("a") as more:
        more.write("no JSON\n" + json.dumps(run(7)) + "\n" + json.dumps(run(8))[:20])
    assert journal.count() == 100_002
    assert [found["run_id"] for found in journal.last(2)] == ["run-7"]
    assert journal.runs(-5, 3) == []


def test_without_any_run_there_is_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, tmp_path)
    assert (journal.count(), journal.last(5), journal.live(), journal.deliveries()) == (0, [], None, {})


def test_deliveries_are_collected_by_source(tmp_path: Path) -> None:
    def event(source: object, count: object) -> str:
        metadata = {"source": source, "new_records": count}
        line = {"timestamp": "2025-01-01T00:00:00.000Z", "event": "source_finished", "metadata": metadata}
        return json.dumps(line) + "\n"

    log = tmp_path / "pipeline-99990101.log"
    log.write_text(event("a-b-c", 3) + '{"torn": ' + "\n" + event(5, "x"))
    journal = Journal(tmp_path, tmp_path)
    assert journal.deliveries() == {"a-b-c": [("2025-01-01T00:00:00.000Z", 3)]}
    with log.open("a") as more:
        more.write(event("a-b-c", 4))
    assert [count for _, count in journal.deliveries()["a-b-c"]] == [3, 4]
