"""Check JSON Lines against a schema: of a registry, by its name, or in a file.

  can validate run --schema iglu:org.canonical/email/jsonschema/1-0-0 --schemas transforms/schemas --data email.jsonl
  can validate run --schema contact.json --data contact.jsonl

Prints one line an invalid record: its number, the broken rule and the rule's place in the schema; never a value. The
status is 0 where all are valid, 7 where some are not, 3 where a line is not JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Exit, Failure, visible
from lorchestra.components.canonizer.commands.arguments import add_schemas, schema_roots
from lorchestra.components.canonizer.record.requests import Check
from lorchestra.components.canonizer.registry.paths import as_text
from lorchestra.components.canonizer.workers import chunks
from lorchestra.components.canonizer.workers.pool import Pool
from lorchestra.records import bundled, iglu


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--schema", required=True, metavar="NAME|FILE", help="the schema: an Iglu URI, or a file")
    add_schemas(parser)
    parser.add_argument("--data", type=local_path, metavar="FILE", help="input file (default: stdin)")


def run(arguments: argparse.Namespace) -> int:
    """Check all records."""
    name = visible(arguments.data.name) if arguments.data else "stdin"
    records = invalid = 0
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(contextlib.closing(Pool()))
        pool.prepare(_check(arguments))
        source = stack.enter_context(chunks.opened(str(arguments.data))) if arguments.data else 0
        for _, converted in pool.convert(chunks.cut(source, name), source):
            records += converted.records
            invalid += len(converted.rejects)
            for reject in converted.rejects:
                where = f" at {reject.schema_path}" if reject.schema_path else ""
                sys.stdout.write(f"{name}:{reject.line}: {reject.rule}{where}\n")
            if converted.not_json is not None:
                raise Failure(Code.NOT_JSONL, f"{name}: line {converted.not_json} is not JSON")
    sys.stderr.write(f"can: {records} records, {invalid} invalid\n")
    return Exit.REJECTS if invalid else Exit.OK


def _check(arguments: argparse.Namespace) -> Check:
    if arguments.schema.startswith("iglu:") and iglu.parse(arguments.schema) is None:
        raise Failure(Code.USAGE, "a schema's name must have the form iglu:vendor/name/jsonschema/1-0-0")
    roots = schema_roots(bundled.default(), arguments.schemas)
    return Check(as_text(Path(arguments.schema)), tuple(map(as_text, roots)))
