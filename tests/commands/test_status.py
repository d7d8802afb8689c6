"""`lorchestra status`, through the real program."""

from __future__ import annotations

import json
import re
import signal
import time
from datetime import UTC, datetime, timedelta

from tests.harness import Project


def test_status_before_anything_ran(project: Project) -> None:
    told = project.run("lorchestra", "status").stdout
    assert "last run   none" in told
    assert "no successful extraction yet" in told
    assert not (project.root / "phi-data").exists()
    assert not project.logs.exists()


def test_status_shows_what_is_out_of_date_stale_or_misnamed(built: Project) -> None:
    (built.canonical / "email-20251110.jsonl").unlink()
    (built.raw / "contacts-dataverse-20251110.jsonl").unlink()
    (built.raw / "unknown-thing-20251110.jsonl").touch(mode=0o600)
    (built.raw / "Somebody@Example.org.txt").touch(mode=0o600)
    told = built.run("lorchestra", "status").stdout
    assert "SUCCESS" in told
    assert "1 of 2 files up to date" in told
    assert "email-20251110: target deleted" in told
    assert "stale      contact-20251110" in told
    assert "unmatched  unknown-thing-20251110.jsonl" in told
    assert "misnamed   1 file in the raw directory" in told
    assert "Somebody" not in told
    state = json.loads(built.run("lorchestra", "status", "--json").stdout)
    assert state["canonical"]["to_make"] == {"email-20251110": ["target deleted"]}
    assert state["unmatched"] == ["unknown-thing-20251110.jsonl"]
    assert state["sources"]["gmail-messages-a"]["records"] == 6


def test_status_has_an_exit_status_for_scripts(built: Project) -> None:
    assert "next       nothing to do" in built.run("lorchestra", "status", status=0).stdout
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    content = raw.read_bytes()
    raw.write_bytes(b"no\n")
    built.run("lorchestra", "run", "--stage", "canonize", status=3)
    assert "next       fix what failed" in built.run("lorchestra", "status", status=1).stdout
    built.run("lorchestra", "status", "--json", status=1)
    raw.write_bytes(content)
    built.run("lorchestra", "run", "--stage", "canonize")
    built.run("lorchestra", "status", status=0)


def test_status_reports_directories_that_others_can_read(built: Project) -> None:
    built.raw.chmod(0o750)
    shown = built.run("lorchestra", "status", status=5).stdout
    assert "chmod 700" in shown
    assert "next       make the PHI directories private" in shown


def test_status_shows_local_time_with_its_zone(built: Project) -> None:
    shown = built.run("lorchestra", "status", env={"TZ": "Asia/Tokyo"}).stdout
    assert re.search(r"last run   \d{4}-\d\d-\d\d \d\d:\d\d:\d\d JST", shown)


def test_a_running_and_a_killed_run_are_shown_as_such(project: Project) -> None:
    project.edit("    sources:\n", '    sources:\n      slow-source-x: {type: command, command: [sleep, "60"]}\n')
    with project.start("lorchestra", "run") as run:
        deadline = time.monotonic() + 60
        while not (project.root / "phi-data/.work/running.json").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "RUNNING" in project.run("lorchestra", "status", status=None).stdout
        run.kill()
    told = project.run("lorchestra", "status", status=1).stdout
    assert "KILLED before it ended" in told
    project.edit("      slow-source-x", "      # slow-source-x")
    project.run("lorchestra", "run")
    assert "KILLED" not in project.run("lorchestra", "status").stdout
    lines = (project.root / "logs" / "runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["KILLED", "SUCCESS"]


def test_a_source_that_failed_is_shown_as_failed(project: Project) -> None:
    project.edit("    sources:\n", '    sources:\n      broken-source-x: {type: command, command: ["false"]}\n')
    project.run("lorchestra", "run", status=1)
    told = project.run("lorchestra", "status", status=1).stdout
    assert "failed: source_failed; no successful extraction yet" in told


def test_rejected_and_dropped_records_are_shown_until_they_are_gone(built: Project) -> None:
    raw = built.raw / "contacts-dataverse-20251110.jsonl"
    good = raw.read_bytes()
    raw.write_bytes(b'{"no": "contact"}\n' * 3)
    shown = built.run("lorchestra", "run", "--stage", "index").stdout
    assert "canonize:contact-20251110: 3 rejected of 3 records; see rejects/contact-20251110.jsonl" in shown
    assert "Warning: canonize:contact-20251110: no record was converted" in shown
    for argv in (["run", "--stage", "index"], ["run", "--stage", "canonize"]):  # the second one is a no-op
        assert "1 unchanged file lost records when built" in built.run("lorchestra", *argv).stdout
    rejects = built.canonical / "rejects/contact-20251110.jsonl"
    told = built.run("lorchestra", "status").stdout
    where = "see phi-data/canonical/rejects/contact-20251110.jsonl"
    assert f"lost       contact-20251110: no record was converted: 3 rejected of 3 records; {where}" in told
    lost = json.loads(built.run("lorchestra", "status", "--json").stdout)["losses"]["contact-20251110"]
    assert (lost["records_in"], lost["rejected"], lost["dropped"]) == (3, 3, 0)
    assert lost["rejects_file"] == str(rejects)
    raw.write_bytes(good)
    assert "lost" not in built.run("lorchestra", "run", "--stage", "index").stdout
    assert "lost" not in built.run("lorchestra", "status").stdout


def test_the_counts_of_lost_records_survive_the_task_store(built: Project) -> None:
    raw = built.raw / "contacts-dataverse-20251110.jsonl"
    raw.write_bytes(raw.read_bytes() + b'{"no": "contact"}\n')
    built.run("lorchestra", "run", "--stage", "canonize")
    (built.root / "phi-data/.work/tasks.json").unlink()
    told = built.run("lorchestra", "status").stdout
    assert "lost       contact-20251110: 1 rejected of 3 records" in told
    assert "no record" not in told


def test_an_ignored_task_is_shown_as_ignored(built: Project) -> None:
    built.run("doit", "ignore", "canonize:email-20251110", "index:contact")
    (built.canonical / "email-20251110.jsonl").unlink()
    told = built.run("lorchestra", "status").stdout
    assert "2 of 3 files up to date" in told
    assert "to build" not in told
    assert "index      contact: ignored (doit ignore)" in told
    assert "ignored    canonize:email-20251110: `doit forget canonize:email-20251110` makes it run again" in told
    planned = built.run("lorchestra", "run", "--dry-run", "--stage", "index").stdout
    assert planned.count("ignored (doit ignore)") == 2
    assert "RUN   canonize" not in planned


def test_watch_repeats_until_it_is_interrupted(built: Project) -> None:
    with built.start("lorchestra", "status", "--watch") as child:
        assert child.stdout
        seen = 0
        for line in child.stdout:
            seen += line.startswith("pipeline   test")
            if seen == 2:
                child.send_signal(signal.SIGINT)
                break
        child.communicate(timeout=30)
    assert (seen, child.returncode) == (2, 130)


def test_age_and_usual_rate_of_each_source_are_shown(built: Project) -> None:
    now = datetime.now(UTC)

    def run(days_ago: int, new: int) -> str:
        began = (now - timedelta(days=days_ago)).isoformat()
        sources = {"gmail-messages-a": 40, "exchange-messages-b": new}
        return json.dumps(
            {"run_id": f"r{days_ago}", "began": began, "ended": began, "status": "SUCCESS", "sources": sources}
        )

    (built.logs / "runs.jsonl").write_text("".join(run(day, 0 if day < 6 else 5) + "\n" for day in range(15, 0, -1)))
    shown = {
        line.split()[1]: line for line in built.run("lorchestra", "status").stdout.splitlines() if line[:7] == "extract"
    }
    assert shown["gmail-messages-a"].endswith("last delivery 1 day ago, usually 40 a day")
    assert shown["exchange-messages-b"].endswith("last delivery 6 days ago, usually 5 a day, SILENT")
    assert "delivery" not in shown["contacts-dataverse"]
    sources = json.loads(built.run("lorchestra", "status", "--json").stdout)["sources"]
    assert round(sources["gmail-messages-a"]["usual_per_day"]) == 40
    assert "every 1 day is usual" in sources["exchange-messages-b"]["silent"]


def test_waiting_files_rejects_and_disk_use_are_shown(built: Project) -> None:
    refused = built.root / "phi-data/.work/refused/gmail-messages-a/1"
    for directory in (refused.parents[1], refused.parent, refused):
        directory.mkdir(exist_ok=True, mode=0o700)
    (refused / "x.jsonl").write_text("{}\n")
    (refused / "x.jsonl").chmod(0o600)
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    with raw.open("ab") as file:
        file.write(b'{"no": "message"}\n')
    built.run("lorchestra", "run", "--stage", "index")
    shown = built.run("lorchestra", "status").stdout
    assert "refused    gmail-messages-a: 1 file; see `lorchestra refused`" in shown
    assert "rejects    1 record rejected" in shown
    assert re.search(r"disk       raw [0-9.]+ KiB, canonical [0-9.]+ KiB, store .*, free [0-9.]+ GiB", shown)
    state = json.loads(built.run("lorchestra", "status", "--json").stdout)
    assert state["refused_files"] == {"gmail-messages-a": 1}
    assert state["disk"]["raw"] == sum(path.stat().st_size for path in built.raw.iterdir())
