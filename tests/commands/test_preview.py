"""What a run would do and why: --dry-run and explain, with old and new values."""

from __future__ import annotations

import json

import pytest

from tests.harness import Project

GMAIL = "email/gmail_to_canonical_v1"


def explained(project: Project, target: str) -> str:
    return project.run("lorchestra", "explain", target).stdout


def test_an_input_that_grew_is_shown_with_its_sizes(built: Project) -> None:
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    before = raw.stat().st_size
    raw.write_bytes(raw.read_bytes() + b"{}\n")
    for target in ("canonize:email-20251110", "email-20251110", "phi-data/canonical/email-20251110.jsonl"):
        shown = explained(built, target)
        assert shown.startswith("canonize:email-20251110: RUN\n")
        assert f"  input grew: {raw.name} ({before:,} to {before + 3:,} bytes)\n" in shown
        assert "after it: index:email: MAYBE, canonical files will be rebuilt" in shown
    assert "before it: canonize:email-20251110: RUN, input grew" in explained(built, "index:email")
    assert explained(built, "index:contact") == "index:contact: skip\n  up to date\n"


def test_a_changed_transform_is_shown_with_its_versions_or_parts(built: Project) -> None:
    meta, spec = (built.root / f"transforms/{GMAIL}.{suffix}" for suffix in ("meta.yaml", "jsonata"))
    text, program = meta.read_text(), spec.read_text()
    version = next(line.split()[1].strip("\"'") for line in text.splitlines() if line.startswith("version:"))
    spec.write_text(program + "\n")
    assert f"  {GMAIL} changed (spec)\n" in explained(built, "email-20251110")
    spec.write_text(program)
    meta.write_text(text.replace(version, "9.0.0", 1))
    assert f"  {GMAIL} changed (version {version} to 9.0.0)\n" in explained(built, "email-20251110")
    meta.write_text(text)
    schema = built.root / "transforms/schemas/com.google/gmail_message/jsonschema/1-0-1.json"
    schema.write_text(schema.read_text() + "\n")
    assert f"  {GMAIL} changed (schema)\n" in explained(built, "email-20251110")
    assert "up to date" in explained(built, "contact-20251110")


def test_changed_settings_are_shown_with_their_values(built: Project) -> None:
    built.edit("    registry: transforms\n", "    registry: transforms\n    validation: {max_rejects: 5%}\n")
    shown = built.run("lorchestra", "run", "--dry-run", "--stage", "canonize").stdout
    assert shown.count('settings changed (max_rejects: null to "5%")') == 3
    assert "3 tasks to run. Nothing was changed." in shown


def test_the_exit_status_says_whether_anything_would_run(built: Project) -> None:
    dry = ("lorchestra", "run", "--dry-run", "--exit-code", "--stage", "index")
    assert "0 tasks to run, 5 to skip." in built.run(*dry, status=0).stdout
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_bytes(raw.read_bytes() + b"{}\n")
    built.run(*dry, status=9)
    steps = json.loads(built.run(*dry, "--json", status=9).stdout)
    assert {"task": "index:email", "action": "maybe", "reasons": ["canonical files will be rebuilt"]} in steps
    assert {"task": "canonize:email-20251111", "action": "skip", "reasons": ["up to date"]} in steps
    quiet = built.run(*dry, "--quiet", status=9).stdout
    assert quiet == "1 task to run, 1 that may run, 3 to skip. Nothing was changed.\n"


def test_explain_as_data_and_its_errors(built: Project) -> None:
    data = json.loads(built.run("lorchestra", "explain", "extract:gmail-messages-a", "--json").stdout)
    assert (data["action"], data["reasons"]) == ("run", ["sources are always extracted"])
    refused = built.run("lorchestra", "explain", "canonize:email-2025111", status=2).stderr
    assert "there is no task canonize:email-2025111; did you mean canonize:email-20251111?" in refused


@pytest.mark.parametrize("command", [("run", "--dry-run"), ("explain", "email-20251110")])
def test_nothing_is_created(project: Project, command: tuple[str, ...]) -> None:
    project.run("lorchestra", *command, status=None)
    assert not (project.root / "phi-data").exists()
    assert not project.logs.exists()
