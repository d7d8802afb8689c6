"""Show a record and its result side by side, for the author of a transform.

can transform try email/gmail_to_canonical_v1 --input extract.jsonl --line 7

It prints the content of a record. If the input is in a directory that only its owner may enter, it asks first;
without a terminal to ask on it refuses, unless --yes is given.
"""

from __future__ import annotations

import argparse
import codecs
import json
import stat
import sys
import unicodedata
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from lorchestra.base.commandline import confirm
from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Exit, Failure
from lorchestra.components.canonizer.authoring import goldens
from lorchestra.components.canonizer.commands.arguments import add_engine, add_registry, add_schemas, count
from lorchestra.components.canonizer.workers.pool import Pool
from lorchestra.records import compressed, jsonl, registry
from lorchestra.storage import audit

_LARGEST_DOCUMENT = 16 * 1024 * 1024


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", metavar="ID", help="a transform's name")
    parser.add_argument(
        "--input", type=local_path, required=True, metavar="FILE", help="JSON Lines, or one JSON document"
    )
    parser.add_argument("--line", type=count, default=1, metavar="N", help="number of the line (default: 1)")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    add_registry(parser)
    add_schemas(parser)
    add_engine(parser)


def run(args: argparse.Namespace) -> int:
    """Show it. Returns 7 where the record is rejected."""
    meta = registry.locate(args.registry, args.id)
    document = _document(args.input, args.line)
    if not args.yes and is_private(args.input):
        _ask(args.input)
    audit.record_read(args.input, "can transform try", files=[str(args.input)], transform=args.id, line=args.line)
    schemas = [args.schemas] if args.schemas else []
    with closing(Pool()) as pool:
        goldens.prepare(pool, meta, schemas, args.engine)
        outcome = goldens.apply(pool, document)
        if outcome.reject and goldens.has_result(outcome.reject):
            goldens.prepare(pool, meta, schemas, args.engine, checks_output=False)
            outcome = goldens.apply(pool, document)._replace(reject=outcome.reject)
    _show(document, outcome)
    return Exit.REJECTS if outcome.reject else Exit.OK


def is_private(path: Path) -> bool:
    """Whether a directory above a file keeps everybody but its owner out."""
    return any(not stat.S_IMODE(parent.stat().st_mode) & 0o077 for parent in path.resolve().parents)


def _document(path: Path, number: int) -> bytes:
    """The line of JSON Lines, or the whole file where that is one document on several lines."""
    if not path.is_file():
        raise Failure(Code.MISSING, f"{path}: no such file")
    with compressed.reader(open(path, "rb"), path.name) as file:
        if not compressed.is_compressed(path.name) and number == 1 and path.stat().st_size <= _LARGEST_DOCUMENT:
            content = file.read().removeprefix(codecs.BOM_UTF8)
            if _is_json(content):
                return content
            file.seek(0)
        line = next((line for at, line in jsonl.read(file, str(path)) if at == number), None)
    if line is None:
        raise Failure(
            Code.USAGE, f"{path}: line {number} is blank, or the file is shorter", advice="Choose another --line."
        )
    return line


def _is_json(content: bytes) -> bool:
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return True


def _ask(path: Path) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure(
            Code.USAGE,
            f"{path}: is in a private directory, and there is no terminal to ask on",
            advice="Add --yes if the record may be written to this output.",
        )
    if not confirm(f"{path} is in a private directory. Show the record here?"):
        raise Failure(Code.INTERRUPTED, "nothing was shown", advice="")


def _show(document: bytes, outcome: goldens.Outcome) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    results = [_pretty(result) for result in outcome.records]
    if outcome.reject:
        results.insert(0, f"rejected: {goldens.reason(outcome.reject)}")
    right = "\n".join(results) or "dropped: the transform returns nothing for this record"
    table = Table(expand=True, show_lines=False)
    table.add_column("record", ratio=1, overflow="fold")
    table.add_column("result", ratio=1, overflow="fold")
    left = _pretty(orjson.loads(document)) if _is_json(document) else _plain(document.decode(errors="replace"))
    table.add_row(Text(left), Text(right))
    Console(highlight=False, markup=False, emoji=False).print(table)


def _pretty(value: Any) -> str:
    """A value as indented JSON."""
    return _plain(json.dumps(value, ensure_ascii=False, indent=2))


def _plain(text: str) -> str:
    """Text without characters that a terminal would obey."""
    return "".join(c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf") else f"\\u{ord(c):04x}" for c in text)
