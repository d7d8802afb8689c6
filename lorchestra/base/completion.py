"""Shell completion: `PROGRAM --completion bash|zsh|fish` prints a script for the shell.

The script is generated from the argument parser by shtab and does not run the program when a user presses Tab.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from lorchestra.base import commandline

SHELLS = ("bash", "zsh", "fish")


class Completion(argparse.Action):
    """Prints the script and ends the program. `build` creates the complete parser."""

    def __init__(self, *, build: Callable[[], argparse.ArgumentParser], **options: Any) -> None:
        super().__init__(**options)
        self._build = build

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        print(script(self._build(), values))
        parser.exit()


def add_option(parser: argparse.ArgumentParser, build: Callable[[], argparse.ArgumentParser]) -> None:
    """Add `--completion SHELL` to a program's parser."""
    parser.add_argument(
        "--completion",
        action=Completion,
        build=build,
        choices=SHELLS,
        metavar="SHELL",
        help="print a completion script for bash, zsh or fish",
    )


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion script of a program. Options and arguments that take a path complete paths."""
    import shtab  # slow to import, and only this function needs it

    for action in _actions(parser):
        if action.type is commandline.path:
            action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]
        if isinstance(action.choices, dict) and not isinstance(action, argparse._SubParsersAction):
            action.choices = list(action.choices)  # shtab takes a mapping for subcommands
    completed: str = shtab.complete(parser, shell)
    return completed


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All actions of a parser and its subparsers."""
    for action in parser._actions:  # argparse has no public way to list them
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)
