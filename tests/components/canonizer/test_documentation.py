"""docs/canonizer.md says what the program does, and all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lorchestra.components.canonizer import cli
from lorchestra.components.canonizer.record import engines, functions
from lorchestra.components.canonizer.record.rules import Rule
from lorchestra.components.canonizer.registry import metadata
from tests.components.canonizer.harness import can

PAGE = (Path(__file__).parents[3] / "docs" / "canonizer.md").read_text()


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_is_in_the_table_of_outcomes(rule: Rule) -> None:
    assert f":{rule}`" in PAGE


@pytest.mark.parametrize("name", functions.NAMES)
def test_every_host_function_is_described(name: str) -> None:
    assert f"| `${name}(" in PAGE


@pytest.mark.parametrize("engine", [metadata.LANGUAGE, *engines.BUILT_IN])
def test_every_engine_is_named(engine: str) -> None:
    assert f"`{engine}`" in PAGE


@pytest.mark.parametrize("words", cli.COMMANDS)
def test_every_command_is_listed_and_helps(words: tuple[str, ...]) -> None:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| `can {words[0]}"))
    assert all(word in PAGE for word in words), line
    done = can(*words, "--help")
    assert done.returncode == 0
    assert done.stdout.decode().startswith(f"usage: can {' '.join(words)}")


@pytest.mark.parametrize("option", re.findall(r"(?<!`)`(--[a-z-]+)", PAGE))
def test_every_option_that_is_named_exists(option: str) -> None:
    helps = b"".join(can(*words, "--help").stdout for words in (("transform", "run"), ("registry", "checksum")))
    assert option.encode() in helps or option == "--help"


def test_the_overview_names_every_command() -> None:
    overview = can().stdout.decode()
    assert all(f"can {' '.join(words)}" in overview for words in cli.COMMANDS)
    assert "can transform run" in can("transform").stdout.decode()
    assert can("--version").stdout.startswith(b"can ")


@pytest.mark.parametrize("words", [("transfrom", "run"), ("transform", "rnu"), ("run",), ("--frobnicate",)])
def test_the_closest_command_is_suggested_for_a_misspelled_one(words: tuple[str, ...]) -> None:
    done = can(*words)
    assert done.returncode == 2
    assert b"unknown command" in done.stderr
    assert b"can " in done.stderr.splitlines()[1]
