"""Canonize JSON Lines: validate each record, transform it, validate what comes out, keep the order.

cat input.jsonl | can transform run --meta transforms/email/gmail_to_canonical_v1.meta.yaml > output.jsonl
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from pathlib import Path

import orjson

from lorchestra.base import private
from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer import transforms
from lorchestra.components.canonizer.canonize import Policy, Runs, Write, canonize
from lorchestra.components.canonizer.chunks import cut
from lorchestra.components.canonizer.pool import Pool
from lorchestra.components.canonizer.serving import _opened


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", nargs="?", metavar="ID", help="a transform's name, found below --registry")
    parser.add_argument("--meta", type=Path, help="a transform's metadata file")
    parser.add_argument("--registry", type=Path, help="where ID is looked up (default: ./transforms)")
    parser.add_argument("--schemas", type=Path, help="the schemas' directory (default: beside the transform, or above)")
    parser.add_argument("--input", type=Path, help="read this file, not stdin")
    parser.add_argument("--output", type=Path, help="write this file, whole or not at all, not stdout")
    parser.add_argument("--rejects", type=Path, help="write rejected records and why to this file")
    parser.add_argument("--report", type=Path, help="write the counts to this file, as JSON")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes work (default: 1)")
    parser.add_argument("--engine", help="jsonatapy or jlens (default: as the metadata says)")
    parser.add_argument("--max-rejects", type=int, help="fail when more records are rejected")
    parser.add_argument("--no-skip-invalid", action="store_true", help="fail at the first record that is rejected")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    started = time.monotonic()
    meta = _meta(arguments)
    pool = Pool(arguments.jobs)
    try:
        identity = pool.prepare(
            {
                "meta": str(meta),
                "schemas": str(arguments.schemas) if arguments.schemas else None,
                "engine": arguments.engine,
                "require_checksums": True,
            }
        )
        with contextlib.ExitStack() as files:
            write: Write = (
                files.enter_context(private.replacing(arguments.output)).write if arguments.output else _print
            )
            aside: Write = (
                files.enter_context(private.replacing(arguments.rejects)).write if arguments.rejects else lambda _: None
            )
            descriptor = files.enter_context(_opened(str(arguments.input))) if arguments.input else 0
            name = arguments.input.name if arguments.input else "input"
            policy = Policy(not arguments.no_skip_invalid, arguments.max_rejects)
            tally = canonize(pool, cut(descriptor, name), name, write, aside, Runs(1), policy, 0)
        if arguments.report:
            report = {
                **tally.report(),
                "transform": identity["transform"],
                "duration_seconds": round(time.monotonic() - started, 3),
            }
            private.write(arguments.report, orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    finally:
        pool.close()
    return 0


def _meta(arguments: argparse.Namespace) -> Path:
    if (arguments.meta is None) == (arguments.id is None):
        raise Failure(Code.USAGE, "say which transform: an ID or --meta, one of them")
    if arguments.meta is not None:
        path: Path = arguments.meta
        return path
    return transforms.find(arguments.registry or Path("transforms"), arguments.id)


def _print(part: bytes) -> None:
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(1, rest) :]
