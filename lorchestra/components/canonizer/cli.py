"""`can`: finds the command that was asked for and imports that one alone."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

from lorchestra.base import program
from lorchestra.base.errors import Code, Failure

COMMANDS: Mapping[tuple[str, ...], str] = {
    ("transform", "run"): "canonize JSON Lines: stdin to stdout, or file to file",
    ("transform", "list"): "list the transforms of a registry",
    ("transform", "show"): "show the schemas, versions and digests of a transform",
    ("transform", "test"): "run the golden tests of a registry",
    ("transform", "new"): "create the skeleton of a transform",
    ("transform", "try"): "show a record and its result",
    ("validate", "run"): "validate JSON Lines against a schema",
    ("registry", "validate"): "check a registry",
    ("registry", "diff"): "classify the change between two schemas",
    ("registry", "checksum"): "compare or write the checksums of transforms",
    ("schema", "new"): "write a schema from sample records",
    ("serve",): "read jobs and write results, one JSON object per line; for a caller with many files",
}
"""Words and summary. The module of a command is its words joined by `_`, in `commands`."""


def main() -> int:
    """The entry point of `can`; returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may have characters that the terminal's charset lacks
    return program.run("can", lambda: _dispatch(sys.argv[1:]))


def _dispatch(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_overview(COMMANDS))
        return 0
    if arguments[0] in ("-V", "--version"):
        from lorchestra.components.canonizer.record.engines import canonizer_version

        sys.stdout.write(f"{canonizer_version()}\n")
        return 0
    if arguments[0] == "--completion":
        return _completion(arguments)
    words = next((w for w in COMMANDS if tuple(arguments[: len(w)]) == w), None)
    if words is None:
        return _no_command(arguments)
    return _run(words, arguments[len(words) :])


def _run(words: tuple[str, ...], arguments: Sequence[str]) -> int:
    from lorchestra.base.commandline import Parser

    command = import_module(f"lorchestra.components.canonizer.commands.{'_'.join(words)}")
    parser = Parser(prog=" ".join(("can", *words)), description=command.__doc__)
    command.configure(parser)
    status: int = command.run(parser.parse_args(arguments))
    return status


def _completion(arguments: Sequence[str]) -> int:
    from lorchestra.base import commandline, completion

    parser = commandline.Parser(prog="can")
    completion.add_option(parser, _complete_parser)
    parser.parse_args(arguments)
    return 0


def _complete_parser() -> argparse.ArgumentParser:
    """One parser with all commands and their arguments."""
    from lorchestra.base.commandline import Parser

    parser = Parser(prog="can")
    parser.add_argument("-V", "--version", action="store_true", help="print the version")
    groups: dict[tuple[str, ...], argparse._SubParsersAction[Parser]] = {(): parser.add_subparsers()}
    for words, summary in COMMANDS.items():
        if words[:-1] not in groups:
            groups[words[:-1]] = groups[()].add_parser(words[0], help=f"{words[0]} commands").add_subparsers()
        command = import_module(f"lorchestra.components.canonizer.commands.{'_'.join(words)}")
        command.configure(groups[words[:-1]].add_parser(words[-1], help=summary))
    return parser


def _no_command(arguments: Sequence[str]) -> int:
    group = {words: summary for words, summary in COMMANDS.items() if words[0] == arguments[0]}
    if group and (len(arguments) == 1 or arguments[1] in ("-h", "--help")):
        sys.stdout.write(_overview(group))
        return 0
    from difflib import get_close_matches

    known = [" ".join(words) for words in COMMANDS]
    near = get_close_matches(" ".join(arguments[:2]), known, n=1)
    advice = f"Did you mean `can {near[0]}`?" if near else "See `can --help`."
    raise Failure(Code.USAGE, "unknown command", advice=advice)


def _overview(commands: Mapping[tuple[str, ...], str]) -> str:
    lines = [f"  can {' '.join(words):<19} {summary}" for words, summary in commands.items()]
    about = "can: run registered JSONata transforms on JSON Lines; validate input and output against JSON Schemas."
    return "\n".join(
        [
            about,
            "",
            *lines,
            "",
            "`can COMMAND --help` shows a command's options; `can --version` prints the version, and",
            "`can --completion SHELL` a completion script for bash, zsh or fish.",
            "",
        ]
    )
