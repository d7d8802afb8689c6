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

from lorchestra.base import iglu
from lorchestra.base.errors import Code, Exit, Failure
from lorchestra.components.canonizer import chunks
from lorchestra.components.canonizer.arguments import REGISTRY
from lorchestra.components.canonizer.reading import parse
from lorchestra.components.canonizer.rules import NotJson, Rejected, Stage
from lorchestra.components.canonizer.schemas import Schemas, Validator


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--schema", required=True, metavar="NAME|FILE", help="the schema: its Iglu name, or a file")
    parser.add_argument("--schemas", type=Path, metavar="DIR", help="the registry's schemas (./transforms/schemas)")
    parser.add_argument("--data", type=Path, metavar="FILE", help="read this, not stdin")


def run(arguments: argparse.Namespace) -> int:
    """Check all records."""
    validator = _validator(arguments.schema, arguments.schemas or REGISTRY / "schemas")
    name = arguments.data.name if arguments.data else "stdin"
    records = invalid = 0
    with contextlib.ExitStack() as files:
        source = files.enter_context(chunks.opened(str(arguments.data))) if arguments.data else 0
        for number, line in chunks.singles(chunks.cut(source, name)):
            records += 1
            fault = _fault(validator, line, f"{name}: line {number} is not JSON")
            if fault:
                invalid += 1
                sys.stdout.write(f"{name}:{number}: {fault}\n")
    sys.stderr.write(f"can: {records} records, {invalid} invalid\n")
    return Exit.REJECTS if invalid else Exit.OK


def _validator(schema: str, root: Path) -> Validator:
    if iglu.parse(schema) is not None:
        return Schemas(root).validator(schema)
    if schema.startswith("iglu:"):
        raise Failure(Code.USAGE, "a schema's name is of the form iglu:vendor/name/jsonschema/1-0-0")
    return Schemas(root).in_file(Path(schema))


def _fault(validator: Validator, line: bytes, not_json: str) -> str:
    try:
        document, _ = parse(line)
        validator.require(document, Stage.SCHEMA_IN)
        return ""
    except Rejected as rejected:
        return f"{rejected.rule}{f' at {rejected.schema_path}' if rejected.schema_path else ''}"
    except NotJson:
        pass
    raise Failure(Code.NOT_JSONL, not_json)
