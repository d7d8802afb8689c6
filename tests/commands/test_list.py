"""`lorchestra list`: what a pipeline consists of, and its runs."""

from __future__ import annotations

import pytest

from tests.harness import Project


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("sources", "contacts-dataverse sample"),
        ("transforms", "email/gmail_to_canonical_v1 yes"),
        ("transforms", "form_response/google_forms_to_canonical_v1 no"),
        ("mappings", "*gmail*.jsonl email/gmail_to_canonical_v1 email 2"),
        ("schemas", "iglu:org.canonical/email/jsonschema/1-0-0"),
    ],
)
def test_a_list_has_a_row_for_each(built: Project, kind: str, row: str) -> None:
    shown = [" ".join(line.split()) for line in built.run("lorchestra", "list", kind).stdout.splitlines()]
    assert row in shown


def test_the_runs_are_listed_oldest_first(built: Project) -> None:
    (built.raw / "gmail-messages-a-20251110.jsonl").write_text("no\n")
    built.run("lorchestra", "run", "--stage", "canonize", status=3)
    header, first, second = built.run("lorchestra", "list", "runs").stdout.splitlines()
    assert header.split() == ["began", "status", "extracted", "transformed", "indexed"]
    assert first.split()[3:] == ["SUCCESS", "14", "14", "14"]
    assert second.split()[3] == "PARTIAL"


def test_a_versioned_transform_is_listed_with_its_version(project: Project) -> None:
    flat = project.root / "transforms" / "email"
    versioned = flat / "gmail_to_canonical" / "1.0.0"
    versioned.mkdir(parents=True)
    (versioned / "spec.meta.yaml").write_bytes((flat / "gmail_to_canonical_v1.meta.yaml").read_bytes())
    assert "email/gmail_to_canonical@1.0.0" in project.run("lorchestra", "list", "transforms").stdout


def test_a_source_that_cannot_be_planned_is_listed_with_the_reason(project: Project) -> None:
    project.edit("sources:\n", "sources:\n      mail: {type: meltano, repo_path: nowhere, loader: l, job: all}\n")
    assert "nowhere/meltano.yml: no such file" in project.run("lorchestra", "list", "sources").stdout
