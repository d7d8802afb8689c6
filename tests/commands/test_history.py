"""`lorchestra history`, through the real program."""

from __future__ import annotations

import json
from typing import Any

from tests.harness import Project


def record(project: Project, number: int, new: int, rejected: int = 0, status: str = "SUCCESS") -> dict[str, Any]:
    """A line of runs.jsonl."""
    return {
        "run_id": f"run-{number:02}",
        "began": f"2025-11-{number:02}T06:00:00.000Z",
        "ended": None if status == "KILLED" else f"2025-11-{number:02}T06:00:12.500Z",
        "status": status,
        "stages": {
            "extract": {"counts": {"new_records": new}},
            "canonize": {"counts": {"records_in": 100, "rejected": rejected}},
        },
    }


def write(project: Project, *lines: dict[str, Any]) -> None:
    project.logs.mkdir(mode=0o700)
    (project.logs / "runs.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (project.logs / "runs.jsonl").chmod(0o600)


def test_runs_are_listed_with_durations_counts_and_a_chart(project: Project) -> None:
    assert project.run("lorchestra", "history").stdout == "no runs yet; start one with `lorchestra run`\n"
    write(project, record(project, 1, 70), record(project, 2, 0, status="KILLED"), record(project, 3, 35, rejected=2))
    shown = project.run("lorchestra", "history", env={"TZ": "UTC"}).stdout.splitlines()
    assert shown[1].split() == ["run-01", "2025-11-01", "06:00:00", "UTC", "SUCCESS", "12.5", "70", "0"]
    assert shown[2].split()[4:] == ["KILLED", "-", "0", "0"]
    assert shown[-1] == "new records  █▁▄"
    limited = json.loads(project.run("lorchestra", "history", "--limit", "1", "--json").stdout)
    assert [(run["run_id"], run["rejected"], run["seconds"]) for run in limited] == [("run-03", 2, 12.5)]
    assert "run-01" in project.run("lorchestra", "history", "run-01").stdout
    assert "did you mean run-01?" in project.run("lorchestra", "history", "run-1", status=2).stderr


def test_unusual_runs_are_warned_about(project: Project) -> None:
    usual = [record(project, number, 100 + number) for number in range(1, 8)]
    write(project, *usual, record(project, 8, 3), record(project, 9, 99, rejected=40), record(project, 10, 95))
    warnings = [line for line in project.run("lorchestra", "history").stdout.splitlines() if line.startswith("Warning")]
    assert warnings == [
        "Warning: run-08: 3 new records; usually about 104",
        "Warning: run-09: 40% of the records were rejected; usually 0%",
    ]


def test_sources_that_deliver_now_and_then_are_no_reason_for_a_warning(project: Project) -> None:
    write(project, *(record(project, number, 50 if number % 3 == 0 else 0) for number in range(1, 20)))
    assert "Warning" not in project.run("lorchestra", "history").stdout


def test_damaged_lines_are_left_out(built: Project) -> None:
    with (built.logs / "runs.jsonl").open("a") as file:
        file.write('[]\n{"run_id": "cut"\n{"run_id": "a"}\n')
        file.write(json.dumps(record(built, 1, 5) | {"began": "yesterday"}) + "\n")
    assert len(json.loads(built.run("lorchestra", "history", "--json").stdout)) == 1


def of_source(project: Project, number: int, **sources: int) -> dict[str, Any]:
    return record(project, number, sum(sources.values())) | {
        "sources": {name.replace("_", "-"): new for name, new in sources.items()}
    }


def test_a_source_far_below_its_usual_rate_is_named_though_others_deliver_more(project: Project) -> None:
    days = [of_source(project, number, mail_a=40 + number % 2, forms_b=1000) for number in range(1, 9)]
    write(project, *days, of_source(project, 9, mail_a=2, forms_b=1200))
    shown = project.run("lorchestra", "history").stdout
    assert [line for line in shown.splitlines() if line.startswith("Warning")] == [
        "Warning: run-09: mail-a: 2 new records; usually about 40"
    ]
    mail = json.loads(project.run("lorchestra", "history", "--source", "mail-a", "--json").stdout)
    assert [run["extracted"] for run in mail] == [41, 40, 41, 40, 41, 40, 41, 40, 2]
    assert mail[-1]["warnings"] and mail[-1]["rejected"] is None
    assert "Warning" not in project.run("lorchestra", "history", "--source", "forms-b").stdout
    assert "did you mean mail-a?" in project.run("lorchestra", "history", "--source", "mail-b", status=2).stderr


def test_a_second_run_of_a_morning_is_not_expected_to_deliver_a_days_records(project: Project) -> None:
    again = of_source(project, 9, mail_a=0) | {"began": "2025-11-08T06:10:00.000Z", "ended": None}
    write(project, *(of_source(project, number, mail_a=40) for number in range(1, 9)), again)
    assert "Warning" not in project.run("lorchestra", "history").stdout


def test_a_silent_source_is_a_warning(project: Project) -> None:
    silent = [of_source(project, number, mail_a=0) for number in range(9, 13)]
    write(project, *(of_source(project, number, mail_a=4) for number in range(1, 9)), *silent)
    shown = project.run("lorchestra", "history").stdout
    assert "Warning: run-12: mail-a delivered nothing for 4 days; every 1 day is usual." in shown
    assert "run-11: mail-a" not in shown


def test_a_run_warns_of_what_is_unusual_about_it(built: Project) -> None:
    (line,) = map(json.loads, (built.logs / "runs.jsonl").read_text().splitlines())
    assert line["sources"] == {"contacts-dataverse": 2, "exchange-messages-b": 6, "gmail-messages-a": 6}
    days = [of_source(built, number, gmail_messages_a=400) for number in range(1, 9)]
    (built.logs / "runs.jsonl").write_text("".join(f"{json.dumps(day)}\n" for day in days))
    run = built.run("lorchestra", "run")
    assert "Warning: gmail-messages-a delivered nothing for" in run.stdout
    text = "".join(path.read_text() for path in built.logs.glob("pipeline-*.log"))
    found = [json.loads(event) for event in text.splitlines() if '"anomaly_found"' in event]
    assert [event["metadata"] for event in found] == [{"kind": "silence", "source": "gmail-messages-a"}]
