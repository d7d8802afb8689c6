"""The command line of `lorchestra-sample`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any

import orjson

from lorchestra import __version__
from lorchestra.base import commandline, completion, program
from lorchestra.base.errors import Code, Failure
from lorchestra.base.wording import counted
from lorchestra.components.sampler import dataverse, exchange, forms, gmail, google, malformed, outlook
from lorchestra.components.sampler.generator import Generator
from lorchestra.records import names
from lorchestra.storage import private

KINDS: dict[str, Callable[[Generator, int], dict[str, Any]]] = {
    "gmail-messages": gmail.message,
    "exchange-messages": exchange.message,
    "dataverse-contacts": dataverse.contact,
    "dataverse-sessions": dataverse.session,
    "google-forms-responses": forms.response,
    "google-calendar-events": google.event,
    "google-contacts": google.person,
    "outlook-events": outlook.event,
    "outlook-contacts": outlook.contact,
}
_ABOUT = f"""\
Write synthetic raw extracts: one file per day, {{name}}-{{date}}.jsonl, one JSON object per line, in the format of the
source's API. The same arguments give the same bytes; the file of a day does not depend on other days. People and
addresses are invented. Only the owner can read the files.

KIND is one of:
  {f"{chr(10)}  ".join(KINDS)}"""
_EXAMPLE = """\
example:
  lorchestra-sample gmail-messages --name gmail-messages-acct1 --output phi-data/raw --start 20251110 --days 3"""
_CANARY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{3,63}")
_LINES_A_WRITE = 500


def main() -> int:
    """Entry point of the program."""
    return program.run("lorchestra-sample", partial(_main, sys.argv[1:]))


def _main(arguments: list[str]) -> int:
    args = _parser().parse_args(arguments)
    source = args.name or f"{args.kind}-sample"
    days = _days(args.start, args.days)
    private.make_directory(args.output)
    for day in days:
        target = args.output / names.DatedName(source, day).file
        # No fsync: the same arguments produce the same bytes again.
        with private.replacing(target, durable=False) as file:
            for block in _blocks(args, source, day):
                file.write(block)
    broken = int(args.records * args.malformed) * len(days)
    unfit = f", {broken:,} of them malformed" if broken else ""
    records = counted(args.records * len(days), "synthetic record")
    print(f"{counted(len(days), 'file')} with {records}{unfit}: {args.output}/{source}-*.jsonl")
    return 0


def _blocks(args: argparse.Namespace, source: str, day: str) -> Iterator[bytes]:
    make, generator = KINDS[args.kind], Generator(args.seed, source, day, args.canary or "")
    for start in range(0, args.records, _LINES_A_WRITE):
        indices = range(start, min(start + _LINES_A_WRITE, args.records))
        yield b"".join(
            orjson.dumps(_record(make, generator, index, args), option=orjson.OPT_APPEND_NEWLINE) for index in indices
        )


def _record(
    make: Callable[[Generator, int], dict[str, Any]], generator: Generator, index: int, args: argparse.Namespace
) -> Any:
    record = make(generator, index)
    if malformed.is_malformed(index, args.malformed):
        record = malformed.break_record(record, index)
        return malformed.plant_everywhere(record, args.canary) if args.canary else record
    return malformed.plant(record, args.canary) if args.canary else record


def _days(start: str, many: int) -> list[str]:
    first = date(int(start[:4]), int(start[4:6]), int(start[6:]))
    if (date.max - first).days < many - 1:
        raise Failure(Code.USAGE, "--start and --days reach beyond the year 9999", advice="Choose an earlier start.")
    return [f"{first + timedelta(days=number):%Y%m%d}" for number in range(many)]


def _parser() -> argparse.ArgumentParser:
    parser = commandline.Parser(prog="lorchestra-sample", description=_ABOUT, epilog=_EXAMPLE)
    parser.add_argument("-V", "--version", action="version", version=f"lorchestra-sample {__version__}")
    completion.add_option(parser, _parser)
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help="the kind of records, see above")
    parser.add_argument(
        "--output",
        required="LORCHESTRA_OUTPUT" not in os.environ,
        default=os.environ.get("LORCHESTRA_OUTPUT"),
        type=commandline.path,
        metavar="DIR",
        help="target directory; created with mode 0700 if missing ($LORCHESTRA_OUTPUT)",
    )
    parser.add_argument(
        "--name",
        default=os.environ.get("LORCHESTRA_SOURCE"),
        type=_source,
        metavar="SOURCE",
        help="name of the source (default: $LORCHESTRA_SOURCE, otherwise KIND-sample)",
    )
    parser.add_argument(
        "--start", type=_date, default="20251110", metavar="YYYYMMDD", help="first day (default: %(default)s)"
    )
    parser.add_argument(
        "--days", type=_whole(1, 100_000), default=1, metavar="N", help="number of days (default: %(default)s)"
    )
    parser.add_argument(
        "--records", type=_whole(0, 10**9), default=30, metavar="N", help="records per file (default: %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=_whole(0, 2**63),
        default=0,
        metavar="N",
        help="seed of the random generator (default: %(default)s)",
    )
    parser.add_argument(
        "--malformed",
        type=_fraction,
        default=0.0,
        metavar="FRACTION",
        help="share of records that are valid JSON but fail the source's schema, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--canary",
        default=os.environ.get("LORCHESTRA_CANARY"),
        type=_canary,
        metavar="TOKEN",
        help="insert TOKEN (4 to 64 letters, digits, _ and -) into every text that stays valid, and every key that is"
        " data; in malformed records into every text ($LORCHESTRA_CANARY, which `ps` does not show)",
    )
    return parser


def _source(text: str) -> str:
    if not names.is_source(text):
        raise argparse.ArgumentTypeError("must be lower-case letters, digits and _, in parts joined by - or .")
    return text


def _date(text: str) -> str:
    if not names.is_date(text):
        raise argparse.ArgumentTypeError("must be a date in the form YYYYMMDD")
    return text


def _canary(text: str) -> str:
    if not _CANARY.fullmatch(text):
        raise argparse.ArgumentTypeError("must be 4 to 64 letters, digits, _ and -")
    return text


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return value


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse
