"""Canonize JSON Lines: validate each record, transform it, validate what comes out, keep the order.

  cat input.jsonl | can transform run --meta transforms/email/gmail_to_canonical_v1.meta.yaml > output.jsonl
  can transform run email/gmail_to_canonical_v1 --input raw.jsonl --output canonical.jsonl --rejects rejects.jsonl

A record that cannot be canonized is rejected and counted, and processing continues. A line that is not JSON at all
ends the run with status 3: the input is not JSON Lines.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.commands.arguments import add_transform, count, limit, meta_path
from lorchestra.components.canonizer.job.canonization import Canonization, Policy, Tally, Write
from lorchestra.components.canonizer.record.requests import Chunk, Order
from lorchestra.components.canonizer.registry.paths import as_text
from lorchestra.components.canonizer.workers import chunks
from lorchestra.components.canonizer.workers.pool import Pool
from lorchestra.components.canonizer.workers.protocol import write_all
from lorchestra.records.names import source_of
from lorchestra.storage import private
from lorchestra.storage.atomic import AtomicFile, commit, stage


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_transform(parser)
    files = parser.add_argument_group("files (created with mode 0600; they appear completely or not at all)")
    files.add_argument("--input", type=local_path, metavar="FILE", help="input file (default: stdin)")
    files.add_argument(
        "--source",
        metavar="NAME",
        help="name of the source, available as $source (default: taken from --input)",
    )
    files.add_argument("--output", type=local_path, metavar="FILE", help="output file (default: stdout)")
    files.add_argument("--rejects", type=local_path, metavar="FILE", help="file for rejected records, with the reasons")
    files.add_argument(
        "--report", type=local_path, metavar="FILE", help="file for the counts, as JSON; contains no content of records"
    )
    some = parser.add_argument_group("which records")
    some.add_argument(
        "--document", action="store_true", help="the input is one JSON document, possibly on several lines"
    )
    some.add_argument("--limit", type=count, metavar="N", help="only the first N records")
    some.add_argument(
        "--sample", type=count, metavar="N", help="a reproducible random sample of N records, in input order"
    )
    strict = parser.add_argument_group("how")
    strict.add_argument("--jobs", type=count, default=1, metavar="N", help="number of processes (default: 1)")
    limits = "fail if more records are rejected: a number, or a share such as 5%%"
    strict.add_argument("--max-rejects", type=limit, metavar="LIMIT", help=limits)
    strict.add_argument("--no-skip-invalid", action="store_true", help="fail at the first rejected record")


def run(arguments: argparse.Namespace) -> int:
    """Canonize; the status is 0 also where records were rejected, unless more were than are allowed."""
    started = time.monotonic()
    _check(arguments)
    schemas = (as_text(arguments.schemas),) if arguments.schemas else ()
    with contextlib.closing(Pool(arguments.jobs)) as pool:
        source = arguments.source or source_of(str(arguments.input or ""))
        prepared = pool.prepare(Order(as_text(meta_path(arguments)), schemas, arguments.engine, source=source))
        files = [path for path in (arguments.rejects, arguments.output, arguments.report) if path]
        for path in files:
            private.sweep_orphans(path)
        with stage(*files) as made:
            drafts = {draft.path: draft for draft in made}
            tally = _canonize(arguments, pool, drafts)
            if arguments.report:
                drafts[arguments.report].write(_report(tally, prepared, time.monotonic() - started))
            commit(made)
    _summarize(tally)
    return 0


def _canonize(arguments: argparse.Namespace, pool: Pool, drafts: dict[Path, AtomicFile]) -> Tally:
    policy = Policy(not arguments.no_skip_invalid, arguments.max_rejects)
    name = os.fsencode(arguments.input.name).decode(errors="replace") if arguments.input else "stdin"
    rejects = drafts.get(arguments.rejects)
    work = Canonization(pool, policy, _writer(drafts.get(arguments.output)), rejects.write if rejects else bool)
    try:
        with chunks.opened(str(arguments.input)) if arguments.input else contextlib.nullcontext(0) as source:
            work.feed(_records(arguments, source, name), name, source)
            work.check_share()
            return work.total
    except Failure as failure:
        # The user needs the rejected records to find the cause.
        if rejects and failure.code is Code.TOO_MANY_REJECTS:
            commit([rejects])
        raise


def _report(tally: Tally, prepared: dict[str, Any], seconds: float) -> bytes:
    identity = {key: value for key, value in prepared.items() if key != "key"}
    report = {**tally.report(), **identity, "duration_seconds": round(seconds, 3)}
    return orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n"


def _records(arguments: argparse.Namespace, source: int, name: str) -> Iterator[Chunk]:
    records = chunks.document(source, name) if arguments.document else chunks.cut(source, name)
    if arguments.limit is not None:
        records = itertools.islice(chunks.singles(records), arguments.limit)
    return chunks.sample(records, arguments.sample) if arguments.sample is not None else records


def _writer(output: AtomicFile | None) -> Write:
    return output.write if output else lambda part: write_all(1, part)


def _check(arguments: argparse.Namespace) -> None:
    named = [path for key in ("input", "output", "rejects", "report") if (path := getattr(arguments, key))]
    if len({os.path.realpath(path) for path in named}) < len(named):
        raise Failure(Code.USAGE, "--input, --output, --rejects and --report must be different files")


def _summarize(tally: Tally) -> None:
    counts: dict[str, Any] = {
        "rejected": tally.rejected,
        "dropped by the transform": tally.dropped,
        "with integers beyond 2^53, which were rounded": tally.inexact_integers,
    }
    summary = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    if summary:
        sys.stderr.write(f"can: {tally.records_in} records in, {tally.records_out} out; {summary}\n")
        for why, number in sorted(tally.rejected_by.items()):
            place = f" at {tally.places[why]}" if why in tally.places else ""
            sys.stderr.write(f"  {number:>8} {why}{place}\n")
