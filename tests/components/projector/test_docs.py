"""The page about the store and the program's help say the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from lorchestra.components.projector import cli
from tests.components.projector.harness import PROGRAM

PAGE = (Path(__file__).parents[3] / "docs" / "store.md").read_text()


def test_every_verb_is_explained() -> None:
    for verb in cli.VERBS:
        assert re.search(rf"`(vector-projector )?{verb}[` ]", PAGE), verb


def test_every_option_of_the_page_is_there() -> None:
    helps = "".join(
        subprocess.run([PROGRAM, verb, "--help"], capture_output=True, text=True, check=True).stdout
        for verb in cli.VERBS
    )
    for option in set(re.findall(r"--[a-z][a-z-]+", PAGE)):
        assert option in helps, option
