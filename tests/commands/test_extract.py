"""`lorchestra extract`: some sources, on request for a time window."""

from __future__ import annotations

import json
import sys

import pytest

from tests.harness import Project

PROGRAM = """
import json, os
names = ("API_FILTER", "LORCHESTRA_FULL_REFRESH")
record = {"id": "1", **{name: os.environ[name] for name in names if name in os.environ}}
path = os.path.join(os.environ["LORCHESTRA_OUTPUT"], f"{os.environ['LORCHESTRA_SOURCE']}-20251112.jsonl")
with open(path, "w") as file:
    file.write(json.dumps(record) + chr(10))
"""


@pytest.fixture
def windowed(project: Project) -> Project:
    """A pipeline with a program that takes a window, next to the sources of `project`."""
    (project.root / "export.py").write_text(PROGRAM)
    source = f"""
      notes-export:
        type: command
        command: [{sys.executable}, {project.root}/export.py]
        key: [id]
        window: {{API_FILTER: "modified ge {{from_utc:%Y-%m-%d}}[ and modified lt {{to_utc:%Y-%m-%d}}]"}}
"""
    project.edit("    sources:\n", f"    sources:{source}")
    return project


def record(project: Project) -> dict[str, str]:
    (line,) = (project.raw / "notes-export-20251112.jsonl").read_text().splitlines()
    found: dict[str, str] = json.loads(line)
    return found


def test_a_window_reaches_the_source_and_its_records_are_merged(windowed: Project) -> None:
    ran = windowed.ran(
        "lorchestra", "extract", "notes-export", "--from", "2025-11-01T00:00Z", "--to", "2025-11-08T00:00Z"
    )
    assert ran == {"extract:notes-export"}
    assert record(windowed) == {"id": "1", "API_FILTER": "modified ge 2025-11-01 and modified lt 2025-11-08"}
    windowed.run("lorchestra", "extract", "notes-export", "--since", "2025-11-02T00:00Z")
    assert record(windowed) == {"id": "1", "API_FILTER": "modified ge 2025-11-02"}
    windowed.run("lorchestra", "extract", "notes-export", "--full-refresh")
    assert record(windowed) == {"id": "1", "LORCHESTRA_FULL_REFRESH": "1"}
    windowed.run("lorchestra", "extract", "notes-export")
    assert record(windowed) == {"id": "1"}
    assert [path.name for path in windowed.raw.iterdir()] == ["notes-export-20251112.jsonl"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["notes-exprot"], "there is no source notes-exprot; did you mean notes-export?"),
        (["gmail-messages-a", "--last", "7d"], "sources of type sample accept no time window"),
        (["gmail-messages-a", "--full-refresh"], "sources of type sample keep no bookmark"),
        (["notes-export", "--to", "2025-11-01"], "--to needs a --from before it"),
        (["notes-export", "--from", "2025-11-02", "--to", "2025-11-01"], "--to needs a --from before it"),
        (["notes-export", "--last", "7x"], "expected a number of hours, days or weeks"),
        (["notes-export", "--last", "7d", "--since", "2025-11-01"], "not allowed with argument"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_runs(windowed: Project, words: list[str], message: str) -> None:
    assert message in windowed.run("lorchestra", "extract", *words, status=2).stderr
    assert not windowed.raw.exists()


def test_a_window_needs_templates(windowed: Project) -> None:
    text = (windowed.root / "pipeline.yaml").read_text()
    without = [line for line in text.splitlines() if "window:" not in line]
    windowed.configure("\n".join(without))
    failed = windowed.run("lorchestra", "extract", "notes-export", "--last", "7d", status=2)
    assert "source notes-export does not say how it takes a time window" in failed.stderr


@pytest.mark.parametrize("template", ["no field", "{from", "{then}", "{from!r}", "{from.__class__}", "{}"])
def test_a_template_is_checked_with_the_configuration(windowed: Project, template: str) -> None:
    windowed.edit("modified ge {from_utc:%Y-%m-%d}[ and modified lt {to_utc:%Y-%m-%d}]", template)
    assert "must be a template with {from}" in windowed.run("lorchestra", "validate", status=2).stderr
