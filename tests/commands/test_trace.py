"""`lorchestra trace`, through the real programs: from objects to raw lines, and back."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

from tests.harness import BIN, Project, lines


def traced(project: Project, what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.run("lorchestra", "trace", what, "--json").stdout)
    return found


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_an_object_leads_to_its_raw_line_and_the_raw_line_to_the_object(built: Project) -> None:
    (forward,) = traced(built, "exchange-messages-b-20251110.jsonl:2")
    assert (forward["outcome"], forward["canonical_file"]) == ("object", "email-20251110.jsonl")
    (back,) = traced(built, forward["object"])
    assert back == forward
    assert traced(built, str(built.canonical / f"{back['canonical_file']}:{back['canonical_line']}")) == [back]

    built_line = lines(built.canonical / back["canonical_file"])[back["canonical_line"] - 1]
    stored = built.run("vector-projector", "get", back["object"], "--raw", "--store", str(built.store)).stdout
    assert stored.encode() == built_line
    run = built.state()["run_id"] if "run_id" in built.state() else next(iter(back["runs"].values()))
    assert back["runs"] == {
        "extract:exchange-messages-b": run,
        "canonize:email-20251110": run,
        "index:email": run,
    }
    assert back["transform"]["id"] == "email/exchange_to_canonical_v1"
    assert len(back["transform"]["spec_sha256"]) == 64

    shown = built.run("lorchestra", "trace", back["object"][:12]).stdout
    assert "exchange-messages-b-20251110.jsonl:2" in shown and back["source"] in shown
    record = json.loads(built_line)
    assert not any(text in shown for text in (record.get("subject"), record.get("body")) if text)


def test_rejected_and_empty_lines_and_lines_that_are_not_canonized_yet_are_told_apart(built: Project) -> None:
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    add(raw, '{"no": "message"}\n\n')
    (early,) = traced(built, f"{raw.name}:4")
    assert (early["outcome"], "changed after" in early["note"]) == ("not built", True)
    built.run("lorchestra", "run", "--stage", "canonize")
    (rejected,) = traced(built, f"{raw.name}:4")
    assert (rejected["outcome"], rejected["rejected_by"], rejected["rule"]) == ("rejected", "schema_in", "required")
    assert rejected["raw_line"] == 4 and "object" not in rejected
    assert traced(built, f"{raw.name}:5")[0]["outcome"] == "blank"
    shown = built.run("lorchestra", "trace", f"{raw.name}:4").stdout
    assert shown.startswith("rejected     by schema_in: required at ") and 'message"' not in shown


def test_a_dropped_record_is_named_as_such(built: Project) -> None:
    spec = built.root / "transforms/contact/dataverse_contact_to_canonical_v1.jsonata"
    spec.write_text("$count($keys($)) > 0 ? undefined_name : undefined_name")
    built.run("can", "registry", "checksum", "--write", "--registry", "transforms", status=None)
    built.run("lorchestra", "run", "--stage", "canonize", status=None)
    (dropped,) = traced(built, "contacts-dataverse-20251110.jsonl:1")
    assert dropped["outcome"] == "dropped"


def test_compressed_raw_files_are_traced(built: Project) -> None:
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    add(raw, '{"no": "message"}\n')
    packed = raw.with_name(f"{raw.name}.gz")
    packed.write_bytes(gzip.compress(raw.read_bytes()))
    packed.chmod(0o600)
    raw.unlink()
    built.run("lorchestra", "run", "--stage", "index")
    (held,) = traced(built, f"{packed.name}:2")
    assert (held["outcome"], held["raw_file"], held["source"]) == ("object", packed.name, "gmail-messages-a")
    assert traced(built, held["object"]) == [held]
    assert traced(built, f"{packed.name}:4")[0]["outcome"] == "rejected"


def test_nothing_is_claimed_about_lines_of_a_canonizer_that_does_not_record_them(built: Project) -> None:
    command = '[can, transform, run, --meta, "{meta}", --schemas, "{schemas}", --rejects, "{rejects}"]'
    built.edit("    registry: transforms\n", f"    registry: transforms\n    command: {command}\n")
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    for content in (raw.read_text(), ""):  # then every record is rejected
        raw.write_text(content + '{"no": "message"}\n')
        built.run("lorchestra", "run", "--stage", "canonize")
        assert {traced(built, f"{raw.name}:{line}")[0]["outcome"] for line in {1, len(lines(raw))}} == {"unknown"}
    assert "did not record" in traced(built, "email-20251110.jsonl:1")[0]["note"]


def test_a_file_without_a_mapping_and_an_edited_canonical_file_are_reported(built: Project) -> None:
    other = built.raw / "diary-entries-a-20251110.jsonl"
    other.write_text("{}\n")
    other.chmod(0o600)
    assert traced(built, f"{other.name}:1")[0]["outcome"] == "unmapped"
    add(built.canonical / "email-20251110.jsonl", "{}\n")
    (edited,) = traced(built, "email-20251110.jsonl:1")
    assert "rebuilds it" in edited["note"] and "raw_file" not in edited


def test_what_does_not_exist_is_a_failure_without_its_text(built: Project) -> None:
    for what in (
        "canary7f3a.jsonl:1",
        "gmail-messages-a-20251110.jsonl:99",
        "F" * 32,
        "gmail-messages-a-20251110.jsonl:0",
    ):
        assert "canary" not in built.run("lorchestra", "trace", what, status=2).stderr


def test_objects_of_a_store_that_is_behind_are_not_traced_to_a_wrong_line(built: Project) -> None:
    (before,) = traced(built, "gmail-messages-a-20251110.jsonl:2")
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_bytes(b"".join(lines(raw)[1:]))
    built.run("lorchestra", "run", "--stage", "canonize")
    (behind,) = traced(built, before["object"])
    assert "another version" in behind["note"] and "raw_line" not in behind


def test_an_object_from_a_stream_leads_to_its_batch(built: Project) -> None:
    record = json.loads(lines(built.canonical / "email-20251110.jsonl")[0]) | {"message_id": "<streamed@example.org>"}
    ingest: list[str | Path] = [BIN / "vector-projector", "ingest", "--streaming", "--type", "email"]
    ingest += ["--store", built.store]
    done = subprocess.run(ingest, input=json.dumps(record).encode(), capture_output=True, check=True)
    (batch,) = [json.loads(report)["batch"] for report in done.stdout.splitlines()]
    query = "SELECT _id FROM email WHERE message_id = '<streamed@example.org>'"
    found = built.run("vector-projector", "query", query, "--format", "jsonl", "--store", str(built.store)).stdout
    (one,) = traced(built, json.loads(found)["_id"])
    assert (one["outcome"], one["canonical_file"], one["canonical_line"]) == ("object", batch, 1)
    assert "batch of a stream" in one["note"]
    assert one.get("raw_file") is None
