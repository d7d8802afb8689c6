"""The settings of a run: options, then the environment that lorchestra sets, then a Singer `--config` file."""

from __future__ import annotations

import argparse
import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from lorchestra import __version__
from lorchestra.base import commandline, completion
from lorchestra.base.errors import Code, Failure, from_os_error, visible
from lorchestra.records import names

_ABOUT = """\
Write the records of a Singer tap to raw files: one file per stream, {stream}-{date}.jsonl, one record per line. STATE
is printed only after every record before it is durable. Only the owner can read the files."""
_EXAMPLE = """\
example:
  tap-gmail --config tap.json | target-lorchestra --output phi-data/raw --stream messages=gmail-messages-acct1"""
_KNOWN = ("output", "date", "streams", "report")


@dataclass(frozen=True)
class Settings:
    """Where to write what.

    `date` is part of the files' names; if it is None, a file is named after its stream alone. `streams` maps a stream
    to a raw name, or to None to discard its records. `report` is the file for the counts and keys of the streams.
    """

    output: Path
    date: str | None
    streams: Mapping[str, str | None]
    report: Path | None


def read(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a run. Raises Failure(USAGE | CONFIG | MISSING); a usage error ends the program.

    Within a run of lorchestra (LORCHESTRA_OUTPUT is set), that run names the files and maps the streams.
    """
    args = _parser().parse_args(arguments)
    config = _config(args.config) if args.config else {}
    report = args.report or _path(config, "report")
    if args.output is None and environment.get("LORCHESTRA_OUTPUT"):
        within = environment.get("LORCHESTRA_REPORT")
        return Settings(Path(environment["LORCHESTRA_OUTPUT"]), None, {}, Path(within) if within else report)
    output = args.output or _path(config, "output")
    if output is None:
        raise Failure(Code.USAGE, "no directory to write to", advice="Set --output, or `output` in the --config file.")
    date = args.date or config.get("date") or f"{datetime.date.today():%Y%m%d}"
    if not (isinstance(date, str) and names.is_date(date)):
        raise Failure(Code.CONFIG, "`date` must be YYYYMMDD")
    return Settings(output, date, _streams(config.get("streams") or {}) | dict(args.stream or ()), report)


def _config(path: Path) -> dict[str, Any]:
    """The settings that a Singer configuration file holds; null stands for a setting that is not set."""
    try:
        value = orjson.loads(path.read_bytes())
    except OSError as error:
        raise from_os_error(error, path) from None
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Failure(Code.CONFIG, f"{path}: not a JSON object")
    unknown = [name for name in value if name not in _KNOWN]
    if unknown:
        message = f"unknown settings: {', '.join(map(visible, unknown))}{commandline.closest(unknown[0], _KNOWN)}"
        raise Failure(Code.CONFIG, message, advice=f"Known settings: {', '.join(_KNOWN)}.")
    return {name: setting for name, setting in value.items() if setting is not None}


def _path(config: Mapping[str, Any], name: str) -> Path | None:
    value = config.get(name)
    if value is None:
        return None
    try:
        return commandline.path(value)
    except (argparse.ArgumentTypeError, TypeError):
        raise Failure(Code.CONFIG, f"`{name}` must be a local path") from None


def _streams(value: Any) -> dict[str, str | None]:
    if isinstance(value, dict) and all(raw is None or isinstance(raw, str) for raw in value.values()):
        return {stream: raw or None for stream, raw in value.items()}
    raise Failure(Code.CONFIG, "`streams` must map each stream to a raw name, or to null to discard it")


def _parser() -> argparse.ArgumentParser:
    parser = commandline.Parser(prog="target-lorchestra", description=_ABOUT, epilog=_EXAMPLE)
    parser.add_argument("-V", "--version", action="version", version=f"%(prog)s {__version__}")
    completion.add_option(parser, _parser)
    help_ = "Singer settings as JSON: output, date, streams, report; options override them"
    parser.add_argument("--config", type=commandline.path, metavar="FILE", help=help_)
    parser.add_argument("--output", type=commandline.path, metavar="DIR", help="the raw directory")
    parser.add_argument("--date", type=_date, help="YYYYMMDD, default: today")
    parser.add_argument("--report", type=commandline.path, metavar="FILE", help="write counts and keys per stream")
    help_ = "raw name of a stream; with nothing after = its records are discarded and counted"
    parser.add_argument("--stream", type=_stream, action="append", metavar="STREAM=NAME", help=help_)
    return parser


def _date(text: str) -> str:
    if not names.is_date(text):
        raise argparse.ArgumentTypeError("expected YYYYMMDD")
    return text


def _stream(text: str) -> tuple[str, str | None]:
    stream, separator, name = text.partition("=")
    if not stream or not separator:
        raise argparse.ArgumentTypeError("expected STREAM=NAME")
    return stream, name or None
