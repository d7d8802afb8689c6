"""The documentation site: every page is in the navigation, generated pages are complete, the first day works."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import yaml

from checks import site
from lorchestra.base.errors import Code
from tests.harness import BIN, ROOT

MAIL = (
    "From: Ada <ada@example.org>\nSubject: Your invoice\nDate: Wed, 12 Nov 2025 10:30:45 +0000\n\nInvoice attached.\n"
)
PAGE = (ROOT / "docs" / "first-day.md").read_text()


def test_every_page_of_the_navigation_exists() -> None:
    """`make docs` also finds pages that are not in the navigation."""
    pages = set(re.findall(r"[a-z-]+\.md", str(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])))
    assert pages <= {page.name for page in (ROOT / "docs").glob("*.md")} | {"commands.md", "failures.md"}


def test_a_page_that_is_not_in_the_navigation_is_found() -> None:
    navigation = [{"Home": "index.md"}, {"How to": [{"Extract": "extract.md"}]}]
    assert site.omitted_pages(["index.md", "extract.md", "x.md"], navigation) == ["x.md"]


def test_the_generated_pages_are_complete() -> None:
    commands = site.commands()
    for heading in (
        "## target-lorchestra",
        "### lorchestra run",
        "### can transform run",
        "### vector-projector purge",
    ):
        assert f"\n{heading}\n" in commands
    assert all(f"| `{code}` |" in site.failures() for code in Code)


def test_links_out_of_the_site_become_text() -> None:
    assert site.on_page_markdown("See [SECURITY.md](../SECURITY.md), [b](b.md).") == "See SECURITY.md, [b](b.md)."


def test_the_first_day_works_as_printed(tmp_path: Path) -> None:
    """A newcomer's own mail and table are found; every command of the page runs in one shell."""
    (tmp_path / "Downloads" / "mail").mkdir(parents=True)
    mail = tmp_path / "Downloads" / "mail" / "one.eml"
    mail.write_text(MAIL)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "export-contacts").write_text(program)
    (tmp_path / "contacts.csv").write_text("id,name,email\n1,Ada Example,ada@example.org\n")
    commands = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)
    at = next(number for number, command in enumerate(commands) if command.startswith("chmod 700"))
    commands.insert(at, "cp ~/export-contacts ~/contacts.csv .")
    env = {"HOME": str(tmp_path), "PATH": f"{BIN}:{os.defpath}", "LANG": "C.UTF-8"}
    argv = ["bash", "-e", "-c", "\n".join(commands)]
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    created = PAGE.partition("$ lorchestra init practice\n")[2].partition("$ ")[0]
    assert done.stdout.startswith(created)
    assert "Your invoice" in done.stdout
    assert "Ada Example" in done.stdout
