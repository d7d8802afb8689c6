"""docs/doit.md: every command on the page runs, and the sessions are what doit prints."""

from __future__ import annotations

import re

import pytest

from tests.harness import ROOT, Project

PAGE = (ROOT / "docs" / "doit.md").read_text()
SESSIONS = re.findall(r"```console\n\$ (.+)\n((?:.*\n)*?)```\n", PAGE)
COMMANDS = re.findall(r"^\| `(doit[^`]*)`", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("command", "printed"), SESSIONS)
def test_the_sessions_are_what_doit_prints(built: Project, command: str, printed: str) -> None:
    def words(text: str) -> list[str]:
        return [" ".join(line.split()) for line in text.splitlines()]

    assert words(built.run(*command.split()).stdout) == words(printed)


def test_every_command_runs(built: Project) -> None:
    commands = [command for line in COMMANDS for command in line.split("`, `")]
    assert len(commands) > 12
    for command in commands:
        built.run(*command.replace('"', "").split())


def test_clean_names_its_action(built: Project) -> None:
    shown = built.run("doit", "clean", "-n", "canonize:email-20251110").stdout
    assert "executing 'Python: remove canonical files'" in shown
