"""The command line of `lorchestra-mailbox`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from lorchestra import __version__
from lorchestra.base import commandline, completion, program
from lorchestra.base.errors import Code, Failure
from lorchestra.components.mailbox import files, gmail_form, mbox
from lorchestra.components.mailbox.files import MailFile
from lorchestra.records import jsonl, names
from lorchestra.storage import listing, private

_ABOUT = """\
Write mail in files as raw records in the form of the Gmail API: one file per day on which messages were received,
{name}-{date}.jsonl, one message per line. PATH is an mbox file, a Maildir, an .eml or .emlx file, or a directory that
holds any of them: a Google Takeout, or an export from Thunderbird or Apple Mail. Nothing at PATH is changed."""
_EXAMPLE = """\
example:
  lorchestra-mailbox Takeout/Mail --name mail-messages-jane --output phi-data/raw"""
_PROGRESS = 1000


def main() -> int:
    """Entry point of the program."""
    return program.run("lorchestra-mailbox", partial(_main, sys.argv[1:]))


def _main(arguments: list[str]) -> int:
    args = _parser().parse_args(arguments)
    for option in ("path", "name", "output"):
        if not getattr(args, option):
            raise Failure(Code.USAGE, f"no {option} is given", advice="See --help.")
    private.make_directory(args.output)
    reader = Reader(_seen(args.seen))
    for line, day in reader.lines(args.path):
        with os.fdopen(private.append(args.output / names.DatedName(args.name, day).file), "ab") as file:
            file.write(line)
    if args.report:
        private.write(args.report, orjson.dumps({**reader.counts, "files": reader.read}))
    counts = ", ".join(f"{count:,} {name}" for name, count in reader.counts.items())
    sys.stderr.write(f"lorchestra-mailbox: {counts}\n")
    return 0


class Reader:
    """Reads what changed. `counts` is what was found; `read` are the identities of all files that are read by now."""

    def __init__(self, seen: Mapping[str, Any]) -> None:
        self._seen = seen
        self.read: dict[str, listing.Identity] = {}
        self._has_waited = False
        self.counts = Counter(messages=0, read=0, unchanged=0, waiting=0, ignored=0, unreadable=0, shortened=0)

    def lines(self, root: Path) -> Iterator[tuple[bytes, str]]:
        """Each message of a new or changed file as a line, with its day (YYYYMMDD, UTC)."""
        for file in files.find(root):
            name = os.fsencode(file.path.relative_to(root.parent)).decode("utf-8", "backslashreplace")
            if self._seen.get(name) == list(file.identity):
                self.counts["unchanged"] += 1
            elif file.kind is None:
                self.counts["ignored"] += 1
                continue
            elif not self._comes_to_rest(file):
                self.counts["waiting"] += 1
                continue
            else:
                try:
                    yield from self._file(file)
                    changed = listing.identity(file.path.stat()) != file.identity
                except FileNotFoundError:  # a mail program moved it: the next run finds it
                    changed = True
                self.counts["waiting" if changed else "read"] += 1
                if changed:
                    continue
            self.read[name] = file.identity

    def _comes_to_rest(self, file: MailFile) -> bool:
        """Whether nobody writes to a file any more. The first fresh one is waited for: it may have just been copied."""
        if not file.rests and not self._has_waited:
            self._has_waited = True
            time.sleep(listing.REST_SECONDS)
        try:
            return file.rests and listing.identity(file.path.stat()) == file.identity
        except FileNotFoundError:
            return False

    def _file(self, file: MailFile) -> Iterator[tuple[bytes, str]]:
        for content, envelope in _messages(file):
            try:
                if content is None:
                    raise gmail_form.NotMail
                form = gmail_form.form(content, envelope)
                line = orjson.dumps(form.record, option=orjson.OPT_APPEND_NEWLINE)
            except (gmail_form.NotMail, orjson.JSONEncodeError, RecursionError):
                self.counts["unreadable"] += 1
                continue
            if len(line) > jsonl.LONGEST_LINE:
                self.counts["unreadable"] += 1
                continue
            self.counts["messages"] += 1
            self.counts["shortened"] += form.shortened
            if self.counts["messages"] % _PROGRESS == 0:
                sys.stderr.write(f"messages {self.counts['messages']}\n")
                sys.stderr.flush()
            yield line, f"{datetime.fromtimestamp(form.milliseconds / 1000, UTC):%Y%m%d}"


def _messages(file: MailFile) -> Iterator[tuple[bytes | None, mbox.Envelope]]:
    with file.path.open("rb") as opened:
        if file.kind == "mbox":
            yield from mbox.messages(opened, file.changed)
            return
        content = opened.read(mbox.LARGEST + 1)
    labels = mbox.maildir_labels(file.path) if file.kind == "maildir" else ()
    envelope = mbox.Envelope(file.changed, labels=labels)
    if len(content) > mbox.LARGEST:
        yield None, envelope
    else:
        yield (mbox.emlx(content) if file.kind == "emlx" else content), envelope


def _seen(path: Path | None) -> dict[str, Any]:
    """The identities that an earlier report holds; nothing if it is missing or damaged: then everything is read."""
    try:
        value = json.loads(path.read_bytes())["files"] if path else {}
        return value if isinstance(value, dict) else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _parser() -> argparse.ArgumentParser:
    environment = os.environ.get
    path = environment("LORCHESTRA_MAILBOX")
    output = environment("LORCHESTRA_OUTPUT")
    parser = commandline.Parser(prog="lorchestra-mailbox", description=_ABOUT, epilog=_EXAMPLE)
    parser.add_argument("-V", "--version", action="version", version=f"%(prog)s {__version__}")
    completion.add_option(parser, _parser)
    help_ = "what to read (default: $LORCHESTRA_MAILBOX)"
    parser.add_argument(
        "path", type=commandline.path, nargs="?", metavar="PATH", default=Path(path) if path else None, help=help_
    )
    help_ = "the source's name (default: $LORCHESTRA_SOURCE)"
    parser.add_argument("--name", type=_name, default=environment("LORCHESTRA_SOURCE"), help=help_)
    help_ = "where to write; no file is replaced, messages are appended (default: $LORCHESTRA_OUTPUT)"
    parser.add_argument(
        "--output", type=commandline.path, metavar="DIR", default=Path(output) if output else None, help=help_
    )
    parser.add_argument("--report", type=commandline.path, metavar="FILE", help="write counts and what was read")
    help_ = "an earlier report: files that did not change since are skipped"
    parser.add_argument("--seen", type=commandline.path, metavar="FILE", help=help_)
    return parser


def _name(text: str) -> str:
    if not names.is_source(text):
        raise argparse.ArgumentTypeError("must be lower-case letters, digits, _ and single - and .")
    return text
