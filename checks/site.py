"""A mkdocs hook: pages of the documentation site that are generated from the programs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lorchestra.base.errors import HANDLING

BIN = Path(sys.executable).parent
PROGRAMS = ("lorchestra", "can", "vector-projector", "lorchestra-sample", "lorchestra-mailbox", "target-lorchestra")
_VERB = re.compile(r"^    ([a-z]+) {2,}", re.MULTILINE)
_COMMAND = re.compile(r"^  can ([a-z ]+?) {2,}", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages; every page must be in the navigation. Called by mkdocs."""
    from mkdocs.exceptions import PluginError
    from mkdocs.structure.files import File

    if omitted := omitted_pages((file.src_uri for file in files.documentation_pages()), config["nav"]):
        raise PluginError(f"pages that are not in the navigation of mkdocs.yml: {', '.join(omitted)}")

    files.append(File.generated(config, "commands.md", content=commands()))
    files.append(File.generated(config, "failures.md", content=failures()))
    return files


def omitted_pages(pages: Iterable[str], navigation: object) -> list[str]:
    """The pages that the navigation does not contain."""
    return sorted(page for page in pages if f"'{page}'" not in repr(navigation))


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Print links to files outside docs/ as text: the site does not contain them. Called by mkdocs."""
    return re.sub(r"\[([^\]]+)\]\(\.\./[^)]*\)", r"\1", markdown)


def commands() -> str:
    """The help of every program and command."""
    return "\n".join(["# Commands", *(part for program in PROGRAMS for part in _program(program))])


def failures() -> str:
    """The table of failures: exit status, whether the failure is retried, and the advice."""
    rows = [
        f"| `{code}` | {int(handling.exit)} | {'yes' if handling.retry else 'no'} | {handling.advice} |"
        for code, handling in HANDLING.items()
    ]
    head = ["# Failures", "", "| code | exit status | retried | what to do |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _program(program: str) -> Iterator[str]:
    overview = _help(program)
    pattern = _COMMAND if program == "can" else _VERB
    yield f"\n## {program}\n\n```text\n{overview}```\n"
    for command in pattern.findall(overview):
        yield f"\n### {program} {command}\n\n```text\n{_help(program, *command.split())}```\n"


def _help(*words: str) -> str:
    program, *rest = words
    argv = [str(BIN / program), *rest, "--help"]
    # COLUMNS: the width must not depend on the terminal
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={"COLUMNS": "100", "PATH": str(BIN)})
    return done.stdout
