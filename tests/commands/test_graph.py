"""`lorchestra graph`, through the real program."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.harness import Project


def shown(project: Project, form: str) -> str:
    return project.run("lorchestra", "graph", "--format", form).stdout


def test_records_are_followed_from_the_source_to_the_store(built: Project) -> None:
    text = built.run("lorchestra", "graph").stdout
    assert "source     gmail-messages-a -> gmail-messages-a\n" in text
    assert "raw        gmail-messages-a (2 files) -> email/gmail_to_canonical_v1\n" in text
    assert "transform  email/gmail_to_canonical_v1 -> email\n" in text
    assert "canonical  email (2 files) -> email\n" in text
    assert re.search(r"store      email \(12 objects\)\n", text)


def test_what_leads_nowhere_is_shown(project: Project) -> None:
    text = shown(project, "text")
    assert "source     gmail-messages-a -> nothing\n" in text
    assert "canonical  email (0 files) -> email\n" in text
    project.raw.mkdir(parents=True, mode=0o700)
    project.raw.parent.chmod(0o700)
    (project.raw / "diary-entries-20251110.jsonl").write_text("{}\n")
    assert "raw        diary-entries (1 file) -> nothing\n" in shown(project, "text")


@pytest.mark.parametrize(
    ("form", "node", "edge"),
    [
        ("mermaid", r'^  n\d+\["source: contacts-dataverse"\]$', r"^  n\d+ --> n\d+$"),
        ("dot", r'^  n\d+ \[label="source: contacts-dataverse"\];$', r"^  n\d+ -> n\d+;$"),
    ],
    ids=["mermaid", "dot"],
)
def test_formats_for_other_programs(built: Project, form: str, node: str, edge: str) -> None:
    text = shown(built, form)
    assert len(re.findall(node, text, re.MULTILINE)) == 1
    assert len(re.findall(edge, text, re.MULTILINE)) == shown(built, "svg").count("<line ")


def test_the_image_is_well_formed_and_refers_to_nothing(built: Project) -> None:
    image = shown(built, "svg")
    assert ElementTree.fromstring(image).tag == "{http://www.w3.org/2000/svg}svg"
    assert "href" not in image and "style" not in image and "script" not in image
