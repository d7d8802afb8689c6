"""Stage 2 as its users meet it: raw files in, canonical files, rejects and lineage out."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from tests.harness import Project, lines

PROGRAMS = Path(__file__).parent.parent / "programs"

SPEC_RECORD = {
    "id": "abc123",
    "payload": {
        "headers": [{"name": "From", "value": "sender@example.com"}, {"name": "Subject", "value": "Test"}],
    },
}


@pytest.fixture
def extracted(project: Project) -> Project:
    """A pipeline whose raw files lie there."""
    project.run("doit", "extract")
    return project


def test_the_example_of_the_architecture_comes_out_as_it_is_printed_there(extracted: Project) -> None:
    raw = extracted.raw / "gmail-messages-a-20251111.jsonl"
    raw.write_text(json.dumps(SPEC_RECORD) + "\n")
    extracted.run("doit", "canonize:email-20251111")
    records = [json.loads(line) for line in lines(extracted.canonical / "email-20251111.jsonl")]
    assert {
        "message_id": "abc123",
        "from": "sender@example.com",
        "subject": "Test",
        "schema": "iglu:org.canonical/email/jsonschema/1-0-0",
    } in records


def test_many_raw_files_make_one_canonical_file_with_its_lineage(extracted: Project) -> None:
    extracted.run("doit", "canonize")
    target = extracted.canonical / "email-20251110.jsonl"
    lineage = json.loads((extracted.canonical / "lineage" / "email-20251110.json").read_bytes())
    assert [entry["name"] for entry in lineage["inputs"]] == [
        "exchange-messages-b-20251110.jsonl",
        "gmail-messages-a-20251110.jsonl",
    ]
    assert lineage["output"]["records"] == len(lines(target)) == 6
    assert lineage["rejects"] is None
    assert not (extracted.canonical / "rejects" / "email-20251110.jsonl").exists()


@pytest.mark.parametrize("command", ["", "{filter}"])
def test_compressed_raw_files_give_the_same_canonical_file(extracted: Project, command: str) -> None:
    if command:
        command = '[can, transform, run, --meta, "{meta}", --schemas, "{schemas}", --rejects, "{rejects}"]'
        extracted.edit("  canonize:\n", f"  canonize:\n    command: {command}\n")
    target, raw = extracted.canonical / "email-20251110.jsonl", extracted.raw / "gmail-messages-a-20251110.jsonl"
    extracted.run("doit", "canonize:email-20251110")
    plain = target.read_bytes()
    compressed = raw.with_name(f"{raw.name}.gz")
    compressed.write_bytes(gzip.compress(raw.read_bytes()))
    compressed.chmod(0o600)
    raw.unlink()
    assert extracted.ran("doit", "canonize:email-20251110") == {"canonize:email-20251110"}
    assert target.read_bytes() == plain
    assert extracted.ran("doit", "canonize:email-20251110") == set()
    compressed.write_bytes(compressed.read_bytes()[:-20])
    failed = extracted.run("doit", "canonize:email-20251110", status=None)
    assert failed.returncode != 0
    assert f"{compressed.name}: the compressed data ends early: the file is truncated" in failed.stdout + failed.stderr
    assert target.read_bytes() == plain


def test_an_invalid_record_is_rejected_with_the_reason_and_stops_nothing(extracted: Project) -> None:
    raw = extracted.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_bytes(b'{"no": "message"}\n' + raw.read_bytes())
    ran = extracted.run("doit", "canonize:email-20251110")
    assert "canonize" in ran.stdout
    (reject,) = [json.loads(line) for line in lines(extracted.canonical / "rejects" / "email-20251110.jsonl")]
    assert (reject["input"], reject["line"], reject["stage"]) == (raw.name, 1, "schema_in")
    assert reject["record"] == {"no": "message"}
    assert len(lines(extracted.canonical / "email-20251110.jsonl")) == 6
    assert extracted.state()["stages"]["canonize"]["counts"]["rejected"] == 1
    raw.write_bytes(b"".join(lines(raw)[1:]))
    extracted.run("doit", "canonize")
    assert not (extracted.canonical / "rejects" / "email-20251110.jsonl").exists()


def test_a_line_that_is_not_json_fails_the_file_with_its_number_and_keeps_the_old_one(extracted: Project) -> None:
    extracted.run("doit", "canonize")
    before = extracted.canonical_bytes()
    raw = extracted.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_bytes(raw.read_bytes() + b"{secret words\n")
    failed = extracted.run("lorchestra", "run", "--stage", "canonize", status=3)
    assert f"{raw.name}: line 4" in failed.stdout
    assert "secret" not in failed.stdout + failed.stderr
    assert extracted.canonical_bytes() == before
    assert extracted.state()["stages"]["canonize"]["failures"] == {"canonize:email-20251110": "not_jsonl"}


def test_skip_invalid_decides_what_a_schema_mismatch_does(extracted: Project) -> None:
    raw = extracted.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_bytes(raw.read_bytes() + b'{"no": "message"}\n')
    strict = "    registry: transforms\n    validation: {skip_invalid: false}\n"
    extracted.edit("    registry: transforms\n", strict)
    failed = extracted.run("lorchestra", "run", "--stage", "canonize", status=7)
    assert raw.name in failed.stdout
    assert not (extracted.canonical / "email-20251110.jsonl").exists()
    assert (extracted.canonical / "email-20251111.jsonl").exists()


def test_max_rejects_fails_the_file(extracted: Project) -> None:
    raw = extracted.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_bytes(raw.read_bytes() + b'{"no": "message"}\n' * 2)
    extracted.edit("    registry: transforms\n", "    registry: transforms\n    validation: {max_rejects: 1}\n")
    extracted.run("lorchestra", "run", "--stage", "canonize", status=7)
    extracted.edit("max_rejects: 1", "max_rejects: 2")
    extracted.run("lorchestra", "run", "--stage", "canonize")
    extracted.edit("max_rejects: 2", "max_rejects: 10%")
    failed = extracted.run("lorchestra", "run", "--stage", "canonize", status=7).stdout
    assert "canonize:email-20251110: 2 of 8 records were rejected; max_rejects is 10%" in failed
    extracted.edit("max_rejects: 10%", "max_rejects: 25%")
    extracted.run("lorchestra", "run", "--stage", "canonize")


def test_a_tampered_transform_is_refused_by_its_digests(extracted: Project) -> None:
    spec = extracted.root / "transforms/email/gmail_to_canonical_v1.jsonata"
    spec.write_bytes(spec.read_bytes() + b" ")
    failed = extracted.run("lorchestra", "run", "--stage", "canonize", status=4)
    assert "expected sha256" in failed.stdout
    assert "can registry checksum --write" in failed.stdout
    extracted.edit(
        "    registry: transforms\n", "    registry: transforms\n    validation: {require_checksums: false}\n"
    )
    extracted.run("lorchestra", "run", "--stage", "canonize")


@pytest.mark.parametrize(("change", "reason"), [(-1, "input shrank"), (+1, "input grew")])
def test_a_raw_file_that_shrank_or_grew_is_rebuilt_and_reported(extracted: Project, change: int, reason: str) -> None:
    extracted.run("doit", "canonize")
    raw = extracted.raw / "gmail-messages-a-20251110.jsonl"
    content = lines(raw)
    more = json.dumps({**SPEC_RECORD, "id": "more"}).encode() + b"\n"
    raw.write_bytes(b"".join(content[:-1] if change < 0 else [*content, more]))
    assert f"{reason}: {raw.name}" in extracted.run("doit", "canonize").stdout
    assert len(lines(extracted.canonical / "email-20251110.jsonl")) == 6 + change


def test_a_missing_raw_file_is_reported(extracted: Project) -> None:
    extracted.run("doit", "canonize")
    (extracted.raw / "gmail-messages-a-20251110.jsonl").unlink()
    told = extracted.run("doit", "canonize").stdout
    assert "input vanished: gmail-messages-a-20251110.jsonl" in told
    assert len(lines(extracted.canonical / "email-20251110.jsonl")) == 3


def test_two_mappings_of_one_type_on_one_file_are_refused_naming_both(extracted: Project) -> None:
    twice = '      - {source_pattern: "gmail*", transform: email/exchange_to_canonical_v1}\n    '
    extracted.edit("  index:\n", f"{twice}\n  index:\n")
    refused = extracted.run("lorchestra", "run", "--stage", "canonize", status=2).stderr
    assert '"*gmail*.jsonl" and "gmail*"' in refused


def test_a_raw_file_may_serve_two_types(extracted: Project) -> None:
    more = (
        '      - {source_pattern: "*gmail*.jsonl", transform: email/gmail_to_canonical_v1, output_name: letter}\n    '
    )
    extracted.edit("  index:\n", f"{more}\n  index:\n")
    extracted.run("doit", "canonize")
    assert len(lines(extracted.canonical / "letter-20251110.jsonl")) == 3


def test_a_transform_that_is_not_there_is_a_config_fault(extracted: Project) -> None:
    extracted.edit("email/gmail_to_canonical_v1", "email/gmail_to_canonical_v9")
    assert "v9 is not in" in extracted.run("lorchestra", "run", "--stage", "canonize", status=4).stderr


def test_a_canonizer_that_dies_costs_its_job_and_never_the_run(extracted: Project) -> None:
    program = f'["{sys.executable}", "{PROGRAMS / "dying_can.py"}"]'
    extracted.edit("    registry: transforms\n", f"    registry: transforms\n    command: {program}\n")
    failed = extracted.run("lorchestra", "run", "--stage", "canonize", status=1)
    assert failed.stdout.count("Failed: canonize:email-20251110: the worker gave no answer") == 1
    assert (extracted.canonical / "email-20251111.jsonl").exists()


def test_a_job_that_dies_now_and_then_is_tried_again(extracted: Project) -> None:
    program = f'["{sys.executable}", "{PROGRAMS / "dying_can.py"}", "once"]'
    policy = "retry: {enabled: true, max_attempts: 2, backoff_seconds: 0}"
    extracted.edit("    registry: transforms\n", f"    registry: transforms\n    command: {program}\n    {policy}\n")
    extracted.run("doit", "canonize")
    assert (extracted.canonical / "email-20251110.jsonl").exists()


def test_a_missing_canonizer_is_named(extracted: Project) -> None:
    extracted.edit("    registry: transforms\n", "    registry: transforms\n    command: no-such-can\n")
    assert "no-such-can" in extracted.run("lorchestra", "run", "--stage", "canonize", status=2).stderr


FILTER = '[can, transform, run, --meta, "{meta}", --schemas, "{schemas}", --rejects, "{rejects}"]'


def with_command(project: Project, command: str) -> None:
    """Let another program be the canonizer."""
    project.edit("    registry: transforms\n", f"    registry: transforms\n    command: {command}\n")


def test_a_filter_can_stand_in_for_the_canonizer(extracted: Project) -> None:
    raw = extracted.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_bytes(b'{"no": "message"}\n' + raw.read_bytes())
    extracted.run("doit", "canonize")
    kept = {name: content for name, content in extracted.canonical_bytes().items() if "/" not in name}
    with_command(extracted, FILTER)
    extracted.run("doit", "forget")
    extracted.run("doit", "canonize", "index")
    after = {name: content for name, content in extracted.canonical_bytes().items() if "/" not in name}
    assert after == kept
    assert not extracted.ran("doit", "canonize", "index")
    assert len(extracted.objects()) == 14


def test_a_filter_that_fails_changes_nothing(extracted: Project) -> None:
    extracted.run("doit", "canonize")
    before = extracted.canonical_bytes()
    with_command(extracted, f'["{sys.executable}", "-c", "raise SystemExit(75)", "{{meta}}"]')
    extracted.run("doit", "forget", "canonize:email-20251110")
    extracted.run("lorchestra", "run", "--stage", "canonize", status=75)
    with_command_again = f'["{sys.executable}", "-c", "print(\'no json\')", "{{meta}}"]'
    extracted.edit(f'["{sys.executable}", "-c", "raise SystemExit(75)", "{{meta}}"]', with_command_again)
    failed = extracted.run("lorchestra", "run", "--stage", "canonize", status=1)
    assert "line 1 of the filter's output is not a JSON object" in failed.stdout
    assert extracted.canonical_bytes() == before
    assert not list((extracted.root / "phi-data/.work/filter").iterdir())


def test_a_filter_obeys_the_limits_of_rejects(extracted: Project) -> None:
    raw = extracted.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_bytes(b'{"no": "message"}\n' + raw.read_bytes())
    with_command(extracted, f"{FILTER}\n    validation: {{skip_invalid: false}}")
    extracted.run("lorchestra", "run", "--stage", "canonize", status=7)
    extracted.edit("skip_invalid: false", "max_rejects: 1")
    extracted.run("lorchestra", "run", "--stage", "canonize")
