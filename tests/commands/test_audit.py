"""`lorchestra audit`: runs and reads of a real pipeline are in the log, and an edited log is refused."""

from __future__ import annotations

import json

from tests.harness import Project


def test_runs_and_reads_are_recorded_and_an_edited_log_is_found(built: Project) -> None:
    store = ["--store", str(built.store)]
    listed = built.run("vector-projector", "list", "email", "--format", "jsonl", *store).stdout.splitlines()
    id_ = json.loads(listed[0])["id"]
    built.run("vector-projector", "get", id_, *store)
    built.run("vector-projector", "search", "canary", *store)
    built.run("vector-projector", "query", "SELECT 'canary7f3a'", *store)
    built.run("vector-projector", "export", "--output", str(built.root / "phi-data/out"), *store)
    built.run("vector-projector", "purge", id_, "--yes", *store)
    raw = sorted(built.raw.iterdir())[0]
    built.run("can", "transform", "try", "email/gmail_to_canonical_v1", "--yes", "--input", str(raw), status=None)
    built.run("lorchestra", "run", "--stage", "index")
    entries = [json.loads(line) for line in built.run("lorchestra", "audit", "show", "--json").stdout.splitlines()]
    assert [entry["command"] for entry in entries] == [
        "doit run", "run ended", "vector-projector list", "vector-projector get", "vector-projector search",
        "vector-projector query", "vector-projector export", "vector-projector purge", "can transform try",
        "lorchestra run", "run ended",
    ]  # fmt: skip
    ended = entries[1]
    assert (ended["status"], ended["counts"]["index"]["inserted"] > 0) == ("SUCCESS", True)
    assert "email/gmail_to_canonical_v1" in ended["transforms"]
    assert "gmail-messages-a-20251110.jsonl" in ended["files"]
    built.run("lorchestra", "run", "--stage", "index")  # nothing to do
    log = (built.logs / "audit.jsonl").read_text()
    assert "canary" not in log and id_ not in log
    assert built.run("lorchestra", "audit", "verify").stdout == "12 entries verified, none missing or changed\n"
    assert len(built.run("lorchestra", "audit", "show", "--last", "2").stdout.splitlines()) == 2

    (built.logs / "audit.jsonl").write_text(log.replace('"files_total"', '"files_count"', 1))
    refused = built.run("lorchestra", "audit", "verify", status=1)
    assert "audit.jsonl:2: changed after it was written" in refused.stderr


def test_a_pipeline_that_never_ran_has_no_audit_log(project: Project) -> None:
    assert "no audit log yet" in project.run("lorchestra", "audit", "verify", status=2).stderr
    project.run("lorchestra", "run", "--dry-run")
    assert not (project.root / "logs").exists()
