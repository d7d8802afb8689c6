"""`vector-projector verify`: prove every object and every row."""

from __future__ import annotations

import argparse
import sys

import apsw
import orjson

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector import config
from lorchestra.components.projector.database import registry
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.query import output
from lorchestra.components.projector.upkeep import connect
from lorchestra.components.projector.upkeep import verify as proving
from lorchestra.components.projector.upkeep.verify import Finding
from lorchestra.storage import private


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--quick", action="store_true", help="skip the comparison of every word of the full text")
    parser.add_argument("--report", type=local_path, metavar="FILE", help="write the findings as JSON")
    output.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the findings, one row each. Fails with STORE_DAMAGED when there is one."""
    with connect.for_writing(Store(config.resolve(options).store), wait=True) as opened:
        findings = _findings(opened, words=not options.quick)
        objects = 0 if findings else registry.objects(opened.connection)
    if options.report:
        report = {"objects": objects, "findings": [finding._asdict() for finding in findings]}
        private.write(options.report, orjson.dumps(report) + b"\n")
    if findings:
        output.write(sys.stdout, Finding._fields, findings, options.format)
        raise Failure(Code.STORE_DAMAGED, f"{len(findings)} faults found", advice="Run: vector-projector repair")
    sys.stderr.write(f"vector-projector: all {objects} objects verified\n")
    return 0


def _findings(opened: connect.Opened, *, words: bool) -> list[Finding]:
    found: list[Finding] = []
    try:
        for finding in proving.verify(opened, words=words):
            found.append(finding)  # noqa: PERF402 - what was found before the database gave up counts
    except (apsw.Error, orjson.JSONDecodeError, ValueError, TypeError):
        found.append(Finding("database_unreadable", "metadata.db"))
    return found
