"""`lorchestra report`, through the real program: one file that loads nothing and holds no record."""

from __future__ import annotations

import json
import re
import stat
from html.parser import HTMLParser

from tests.harness import Project, lines

SECRET = "canary7f3a"


class Page(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs


def test_a_report_is_one_private_file_without_records_and_resources(built: Project) -> None:
    with (built.raw / "gmail-messages-a-20251110.jsonl").open("a") as file:
        file.write(f'{{"no": "{SECRET}"}}\n')
    built.run("lorchestra", "run", "--stage", "index")
    told = built.run("lorchestra", "report", "--output", "report.html").stdout
    output = built.root / "report.html"
    text = output.read_text()
    assert told.startswith("wrote run ") and told.split()[2] in text
    assert stat.S_IMODE(output.stat().st_mode) == 0o600

    page = Page()
    page.feed(text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "a"} & set(page.elements)
    names = {name for name, _ in page.attributes}
    assert not {"src", "href", "action", "style"} & names and not [name for name in names if name.startswith("on")]
    assert "url(" not in text and "@import" not in text
    assert re.sub(r'xmlns="[^"]+"', "", text).count("://") == 0

    assert "<td>schema_in</td><td>required</td>" in text and "canonize:email-20251110" in text
    assert page.elements.count("svg") >= 2  # the timeline and the graph
    records = [json.loads(line) for path in built.canonical.glob("*.jsonl") for line in lines(path)]
    values = {value for record in records for value in record.values() if isinstance(value, str) and len(value) > 12}
    assert SECRET not in text
    assert not [value for value in values if value in text and not value.startswith("iglu:")]


def test_an_earlier_run_and_an_unknown_one(built: Project) -> None:
    first = json.loads(built.run("lorchestra", "history", "--json").stdout)[0]["run_id"]
    built.run("lorchestra", "run")
    built.run("lorchestra", "report", first, "--output", "first.html")
    assert first in (built.root / "first.html").read_text()
    assert "there is no run" in built.run("lorchestra", "report", "x", "--output", "x.html", status=2).stderr
    assert not (built.root / "x.html").exists()


def test_a_report_replaces_reports_only(built: Project) -> None:
    for _ in range(2):
        built.run("lorchestra", "report", "--output", "report.html")
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    before = raw.read_bytes()
    assert "is no web page" in built.run("lorchestra", "report", "--output", str(raw), status=2).stderr
    assert raw.read_bytes() == before


def test_without_a_run_there_is_no_report(project: Project) -> None:
    assert "no run is recorded" in project.run("lorchestra", "report", "--output", "r.html", status=2).stderr
