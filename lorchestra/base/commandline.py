"""One command-line style for all programs.

Options are never abbreviated. A misspelled verb or option gets the closest match and the usage of the command it was
given to. An option that takes one value may be given once. `--` ends the options, `-` means standard input where a
program reads data, and a path is never a URI.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lorchestra.base.errors import Code, Exit, Failure

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_INVALID_CHOICE = re.compile(r"(?P<where>.*)invalid choice: '(?P<given>.*)' \(choose from .*\)", re.DOTALL)
_UNRECOGNIZED = "unrecognized arguments: "


class Parser(argparse.ArgumentParser):
    """An argument parser in the style of this module. A usage error ends the program with status 2."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)
        self.register("action", None, _Once)
        self.register("action", "store", _Once)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse arguments; see `argparse`. An unknown option is reported by the command that it was given to."""
        given = sys.argv[1:] if args is None else args
        parsed, unknown = self.parse_known_args(given, namespace)
        if unknown:
            getattr(parsed, _PARSER, self).error(f"{_UNRECOGNIZED}{' '.join(unknown)}")
        for name in (_PARSER, _GIVEN):
            vars(parsed).pop(name, None)
        return parsed

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse has it; notes which command's parser saw the arguments last."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if not hasattr(parsed, _PARSER):
            setattr(parsed, _PARSER, self)
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, with the closest match; exit with status 2."""
        if found := _INVALID_CHOICE.fullmatch(message):
            choices = [str(choice) for action in self._actions for choice in action.choices or ()]
            message = f"{found['where']}there is no {found['given']!r}{closest(found['given'], choices)}"
        elif message.startswith(_UNRECOGNIZED):
            word = message.removeprefix(_UNRECOGNIZED).split(" ")[0].partition("=")[0]
            options = [option for action in self._actions for option in action.option_strings]
            message = f"{message}{closest(word, options)}"
        self.print_usage(sys.stderr)
        self.exit(Exit.USAGE, f"{self.prog}: {message}\n")


_PARSER, _GIVEN = "_parser", "_given"


class _Once(argparse.Action):
    """Stores a value, and refuses an option that is given twice: one of the values would be ignored."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        given = vars(namespace).setdefault(_GIVEN, set())
        if option_string and self.dest in given:
            parser.error(f"argument {option_string}: given more than once")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


def closest(word: str, known: Iterable[str]) -> str:
    """A sentence part that names the known word closest to one, or nothing."""
    from difflib import get_close_matches

    found = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def is_uri(text: str) -> bool:
    """Whether a text is a URI with an authority, such as gs://bucket/file."""
    return _SCHEME.match(text) is not None


def path(text: str) -> Path:
    """A local path from the command line. A URI such as gs://bucket/file is refused: it would become a directory."""
    if not text:  # an unset variable, not the current directory
        raise argparse.ArgumentTypeError("must not be empty")
    if is_uri(text):
        raise argparse.ArgumentTypeError(f"{text.partition('://')[0]}:// is not supported; name a local path")
    return Path(text)


def confirm(
    question: str, *, yes: bool = False, advice: str = "Add --yes to confirm, or look first with --dry-run."
) -> bool:
    """Ask for confirmation on the terminal. Raises Failure(USAGE) if there is no terminal and `yes` is not set."""
    if yes:
        return True
    if not (sys.stdin and sys.stdin.isatty()):
        message = "confirmation is needed, and there is no terminal to ask on"
        raise Failure(Code.USAGE, message, advice=advice)
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
