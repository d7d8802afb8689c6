"""`lorchestra`: arguments, exit statuses, and the text for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lorchestra import __version__

if TYPE_CHECKING:
    import argparse

    from lorchestra.base import commandline
    from lorchestra.commands.rejects import Filter

SOURCES = ("gmail", "exchange", "dataverse", "forms", "files", "mailbox", "command")
GRAPHS = ("text", "mermaid", "dot", "svg")
LISTS = ("sources", "transforms", "mappings", "schemas", "runs")
_INIT = "create a pipeline with synthetic records, a copy of the bundled transforms, and private directories"
_AUDIT = "show or verify the audit log: who ran what, and who read records"
_WOULD_RUN = 9
"""The exit status of --exit-code. Statuses up to 8 say what failed."""
_EXAMPLES = """\
examples:
  lorchestra init practice             create a pipeline in a new directory
  lorchestra run                       extract, canonize and index; up-to-date files are skipped
  lorchestra run --dry-run             show what would run, and why
  lorchestra run --stage canonize      start from the existing raw files
  lorchestra explain email-20251112    show why this file would be rebuilt

`doit` runs the same tasks; `doit list --all --status` shows them. Exit statuses: docs/contracts.md."""

_ADD_EXAMPLES = """\
examples:
  lorchestra add source mailbox ~/takeout
  lorchestra add source files inbox --name diary-entries-acct1
  lorchestra add source gmail meltano-ingest --name gmail-messages-acct1
  lorchestra add source command --name contacts-export -- ./export-contacts --to {output}"""


_WINDOWS = """\
A window fetches records again, merges them with those that exist, and does not move the bookmark. The source's `window`
in pipeline.yaml says how the source learns it (docs/extract.md). `lorchestra run` then canonizes and indexes them.

examples:
  lorchestra extract gmail-messages-acct1 --last 7d
  lorchestra extract mail --from 2025-11-01 --to 2025-11-07
  lorchestra extract mail --full-refresh"""


_RETRY = """\
`rejects retry` marks the canonical files and types that have such rejects. The next run rebuilds them from all their
raw records, so the result is that of a full rebuild. Fix the transform or the schema first."""


def main() -> int:
    """The entry point; returns the exit status (see docs/contracts.md)."""
    if sys.argv[1:] in (["--version"], ["-V"]):  # imports would take longer than the answer
        print(f"lorchestra {__version__}")
        return 0
    try:
        from lorchestra.base import program
    except KeyboardInterrupt:  # Ctrl-C while the program starts
        return 130

    return program.run("lorchestra", lambda: _main(sys.argv[1:]))


def _main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    if options.directory is not None:
        os.chdir(options.directory)
    handler: int = options.handler(options)
    return handler


def _parser() -> argparse.ArgumentParser:
    from lorchestra.base import commandline, completion
    from lorchestra.history.stages import STAGES

    parser = commandline.Parser(
        prog="lorchestra",
        description="Extract health records, convert them to canonical form, index them; redo only what changed.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("-V", "--version", action="version", version=f"lorchestra {__version__}")
    completion.add_option(parser, _parser)
    parser.add_argument("-C", dest="directory", type=commandline.path, metavar="DIR", help="run in this directory")
    # With an explicit `prog`, argparse does not format one, which would import half a dozen modules.
    verbs = parser.add_subparsers(prog=parser.prog, dest="verb", required=True, metavar="COMMAND")

    init = verbs.add_parser("init", help=_INIT, description=_INIT)
    init.add_argument("target", nargs="?", type=commandline.path, default=Path(), metavar="DIR", help="default: here")
    init.add_argument("--name", metavar="NAME", help="name of the pipeline in logs (default: the directory's name)")
    init.set_defaults(handler=_init)

    run = _verb(verbs, "run", _run, "run the stages; up-to-date files are skipped")
    run.add_argument("--stage", choices=tuple(STAGES), help="only this stage (index updates canonical files first)")
    run.add_argument("--dry-run", action="store_true", help="show what would run and why; change nothing")
    would_run = f"with --dry-run: exit with {_WOULD_RUN} if a task would run"
    run.add_argument("--exit-code", action="store_true", help=would_run)
    amount = run.add_mutually_exclusive_group()
    amount.add_argument("--verbose", action="store_true", help="list every task, also those that are up to date")
    amount.add_argument("--quiet", action="store_true", help="print nothing unless something fails")
    amount.add_argument("--json", action="store_true", help="print each event as a line of JSON, as in the log")

    extract = _verb(verbs, "extract", _extract, "extract some sources, also for a time window", epilog=_WINDOWS)
    extract.add_argument("names", nargs="+", metavar="NAME", help="a source, or an entry of pipeline.yaml")
    _window_options(extract)

    explain = _verb(verbs, "explain", _explain, "show why a task would run, with old and new values")
    explain.add_argument("target", metavar="TARGET", help="a task, or the name or path of a canonical file")
    explain.add_argument("--json", action="store_true", help="print one JSON object")

    trace = _verb(verbs, "trace", _trace, "show the lineage of an object, a canonical line or a raw line")
    trace.add_argument("what", metavar="ID | FILE:LINE", help="an object's id, or a line of a raw or canonical file")
    trace.add_argument("--json", action="store_true", help="print a JSON array")

    graph = _verb(verbs, "graph", _graph, "show sources, raw files, transforms, canonical files and the store")
    graph.add_argument("--format", choices=GRAPHS, default="text", help="default: text")

    report = _verb(verbs, "report", _report, "write one run as a web page in one file, without records")
    report.add_argument("run", nargs="?", metavar="RUN", help="the run's id (default: the last run)")
    report.add_argument("--output", type=commandline.path, required=True, metavar="FILE", help="such as report.html")

    history = _verb(verbs, "history", _history, "show the recorded runs, a chart, and what is unusual about them")
    history.add_argument("run", nargs="?", metavar="RUN", help="only this run, by its id")
    history.add_argument("--source", metavar="NAME", help="only runs that extracted this source, and what it delivered")
    history.add_argument("--limit", type=int, default=20, metavar="N", help="the last N runs (default: 20; 0: all)")
    history.add_argument("--json", action="store_true", help="print a JSON array")

    status = _verb(verbs, "status", _status, "show the last run, what is out of date, failures and the next step")
    form = status.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--watch", action="store_true", help="show it again every two seconds, until Ctrl-C")

    listing = _verb(verbs, "list", _list, "list sources, transforms, mappings, schemas or past runs")
    listing.add_argument("kind", choices=LISTS, help="what to list")

    add = _verb(verbs, "add", _add, "add a source to pipeline.yaml", epilog=_ADD_EXAMPLES)
    add.add_argument("what", choices=("source",), metavar="source", help="what to add")
    add.add_argument("kind", choices=SOURCES, help="the kind of source")
    add.add_argument(
        "words", nargs="+", metavar="WHERE", help="the Meltano project, directory, mailbox, or the program's words"
    )
    add.add_argument("--name", metavar="NAME", help="{source}-{entity}-{account} (default: by kind)")
    add.add_argument("--transform", metavar="NAME", help="map the raw files to this transform (default: by kind)")

    validate = _verb(verbs, "validate", _validate, "check configuration, permissions, programs, registry and mappings")
    validate.add_argument(
        "--fix", action="store_true", help="repair permissions of the PHI directories; print each command"
    )

    board = _verb(verbs, "dashboard", _dashboard, "serve a local page: what runs now, earlier runs, trends and alerts")
    where = board.add_mutually_exclusive_group()
    where.add_argument("--port", type=int, default=8765, metavar="N", help="port of 127.0.0.1 (default: %(default)s)")
    where.add_argument("--socket", type=commandline.path, metavar="PATH", help="a socket that only you can open")
    board.add_argument("--open", action="store_true", help="open the page in the browser")

    timer = _verb(verbs, "schedule", _schedule, "run every day: a timer of systemd, or a line for cron")
    timer.add_argument("action", choices=("install", "remove", "status"), help="what to do with the timer")
    timer.add_argument("--at", default="06:30", metavar="TIME", help="with install: local time (default: %(default)s)")
    form = timer.add_mutually_exclusive_group()
    form.add_argument("--cron", action="store_true", help="with install: print a line for cron; change nothing")
    form.add_argument("--system", action="store_true", help="with install: print units for /etc; change nothing")

    audit = verbs.add_parser("audit", help=_AUDIT, description=_AUDIT)
    parts = audit.add_subparsers(prog=f"{parser.prog} audit", required=True, metavar="COMMAND")
    show = _verb(parts, "show", _audit_show, "show who ran what and who read records")
    show.add_argument("--last", type=int, metavar="N", help="only the last N entries")
    show.add_argument("--json", action="store_true", help="print one JSON object a line")
    verify = _verb(parts, "verify", _audit_verify, "verify that no entry was changed, removed, added or reordered")
    verify.add_argument("files", nargs="*", type=commandline.path, metavar="FILE", help="files of the log moved away")

    _verb(verbs, "doctor", _doctor, "check programs, versions, permissions, encryption, disk, clock and Meltano")

    refused = _verb(verbs, "refused", _refused, "list, re-submit or discard files that extraction could not publish")
    refused.add_argument("source", nargs="?", metavar="SOURCE", help="only this source")
    choice = refused.add_mutually_exclusive_group()
    choice.add_argument("--submit", action="store_true", help="publish them with the next extraction")
    choice.add_argument("--discard", action="store_true", help="remove them (asks for confirmation)")
    refused.add_argument("--yes", action="store_true", help="do not ask for confirmation")

    rejects = _verb(verbs, "rejects", _rejects, "count, show or retry rejected records", epilog=_RETRY)
    rejects.add_argument("action", nargs="?", choices=("retry",), metavar="retry", help="rebuild the files concerned")
    _reject_options(rejects)

    clean = _verb(verbs, "clean", _clean, "remove files that can be rebuilt (asks for confirmation)")
    what = clean.add_mutually_exclusive_group()
    what.add_argument("--stage", choices=tuple(STAGES), help="the files of this stage (default: canonize and index)")
    what.add_argument("--stale", action="store_true", help="canonical files that have no raw file any more")
    what.add_argument("--all", action="store_true", help="also the raw extracts")
    clean.add_argument("--dry-run", action="store_true", help="list what would be removed; remove nothing")
    clean.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    return parser


def _reject_options(parser: argparse.ArgumentParser) -> None:
    from lorchestra.planning import window

    parser.add_argument("--type", metavar="TYPE", help="only records of this canonical type")
    parser.add_argument("--rule", metavar="RULE", help="only those rejected by this rule: required, schema_in:required")
    parser.add_argument("--since", type=window.begin, metavar="DATE", help="only canonical files of this date or later")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--show", action="store_true", help="show the records on the terminal (asks for confirmation)")
    form.add_argument("--json", action="store_true", help="print one JSON object")


def _window_options(parser: argparse.ArgumentParser) -> None:
    from lorchestra.planning import window

    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--last", dest="start", type=window.last, metavar="7d", help="the last hours, days or weeks")
    begin.add_argument("--since", dest="start", type=window.begin, metavar="D", help="everything since a date or time")
    begin.add_argument("--from", dest="start", type=window.begin, metavar="D", help="the begin of a window")
    parser.add_argument("--to", dest="end", type=window.end, metavar="D", help="its end; a date includes that day")
    help_ = "fetch everything again, whatever the bookmark says"
    parser.add_argument("--full-refresh", action="store_true", help=help_)


def _verb(
    verbs: argparse._SubParsersAction[commandline.Parser], name: str, handler: object, summary: str, **options: Any
) -> argparse.ArgumentParser:
    from lorchestra.base import commandline

    parser = verbs.add_parser(name, help=summary, description=summary, **options)
    parser.add_argument(
        "--config",
        type=commandline.path,
        default=os.environ.get("LORCHESTRA_CONFIG") or "pipeline.yaml",
        metavar="FILE",
        help="`-` is standard input (default: $LORCHESTRA_CONFIG, otherwise pipeline.yaml)",
    )
    parser.set_defaults(handler=handler)
    return parser


def _init(options: argparse.Namespace) -> int:
    from lorchestra.commands import init

    for path in init.init(options.target, options.name):
        print(f"created {path}")
    here = options.target == Path()
    print("Next: " + ("" if here else f"cd {options.target} && ") + "lorchestra run")
    return 0


def _add(options: argparse.Namespace) -> int:
    from lorchestra.commands import add

    added = add.add(options.config, options.kind, options.words, name=options.name, transform=options.transform)
    print(f"added source {added.name}" + (f", mapped to {added.transform}" if added.transform else ""))
    print("Next:", *(f"- {step}" for step in added.next_steps), sep="\n")
    return 0


def _list(options: argparse.Namespace) -> int:
    from lorchestra.base.errors import visible
    from lorchestra.commands import list as listing

    rows = listing.rows(options.config, options.kind)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{visible(cell):<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _run(options: argparse.Namespace) -> int:
    from lorchestra.commands import run
    from lorchestra.history.stages import STAGES

    stages = [options.stage] if options.stage else list(STAGES)
    if options.dry_run:
        return _dry_run(options, stages)
    listener = _print_event if options.json else None
    result = run.run(options.config, stages, verbose=options.verbose, quiet=options.quiet, listener=listener)
    if isinstance(result, int) or options.quiet or options.json:
        return result if isinstance(result, int) else 0
    from lorchestra.history.summary import summary

    print(summary(result), end="")
    return 0


def _extract(options: argparse.Namespace) -> int:
    from lorchestra.base.errors import Code, Failure
    from lorchestra.commands import extract
    from lorchestra.planning.window import Window

    if options.end and not (options.start and options.start < options.end):
        raise Failure(Code.USAGE, "--to needs a --from before it")
    return extract.extract(options.config, options.names, Window(options.start, options.end, options.full_refresh))


def _dry_run(options: argparse.Namespace, stages: Sequence[str]) -> int:
    import json

    from lorchestra.commands import preview

    steps = preview.preview(options.config, stages)
    if options.json:
        print(json.dumps(preview.as_json(steps), indent=2))
    else:
        for step in () if options.quiet else steps:
            print(step.text)
        print(f"{preview.totals(steps)}. Nothing was changed.")
    return _WOULD_RUN if options.exit_code and not all(step.is_done for step in steps) else 0


def _explain(options: argparse.Namespace) -> int:
    import json

    from lorchestra.commands import preview

    step, before, after = preview.explain(options.config, options.target)
    if options.json:
        parts = {"before": preview.as_json(before), "after": preview.as_json(after)}
        print(json.dumps(preview.as_json([step])[0] | parts, indent=2))
        return 0
    print(f"{step.task}: {step.verb}")
    for reason in step.reasons:
        print(f"  {reason}")
    for title, steps in (("before it", before), ("after it", after)):
        for other in steps:
            print(f"{title}: {other.task}: {other.verb}, {'; '.join(other.reasons)}")
    return 0


def _trace(options: argparse.Namespace) -> int:
    import json

    from lorchestra.base.errors import visible
    from lorchestra.commands import trace

    found = trace.trace(options.config, options.what)
    if options.json:
        print(json.dumps([trace.as_json(one) for one in found], indent=2))
    else:
        print("\n".join("\n".join(map(visible, trace.text(one).splitlines())) for one in found))
    return 0


def _graph(options: argparse.Namespace) -> int:
    from lorchestra.commands import graph

    print(graph.FORMATS[options.format](graph.graph(options.config)), end="")
    return 0


def _report(options: argparse.Namespace) -> int:
    from lorchestra.commands import report

    print(f"wrote run {report.report(options.config, options.run, options.output)} to {options.output}")
    return 0


def _print_event(event: dict[str, Any]) -> None:
    import json

    from lorchestra.base import program

    try:
        print(json.dumps(event), flush=True)
    except BrokenPipeError:  # the reader has seen enough; the run goes on
        program.abandon(sys.stdout)


def _history(options: argparse.Namespace) -> int:
    import json

    from lorchestra.commands import history

    found = history.history(options.config, options.run, options.limit, options.source)
    print(json.dumps([run._asdict() for run in found], indent=2) if options.json else history.text(found).rstrip())
    return 0


def _status(options: argparse.Namespace) -> int:
    from lorchestra.commands import status

    if options.watch:
        _watch(options.config)
    state = status.status(options.config)
    if options.json:
        import json

        print(json.dumps(state, indent=2))
    else:
        print(status.text(state), end="")
    return status.exit_status(state)


def _watch(config: Path) -> NoReturn:
    """Show the status until Ctrl-C."""
    import time

    from lorchestra.commands import status

    while True:
        shown = status.text(status.status(config))
        clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" else ""
        print(f"{clear}{shown}", flush=True)
        time.sleep(2)


def _validate(options: argparse.Namespace) -> int:
    from textwrap import indent

    from lorchestra.commands import validate

    report = validate.validate(options.config, fix=options.fix)
    for command in report.repaired:
        print(f"ran {command}")
    for check in report.checks:
        print(f"{'ok' if check.failure is None else '!!':<3} {check.name}")
        if check.failure:
            print(indent(f"{check.failure.message}\n{check.failure.advice}", "    "))
    for warning in report.warnings:
        print(f"??  {warning}")
    return next((check.failure.exit for check in report.checks if check.failure), 0)


def _doctor(options: argparse.Namespace) -> int:
    from textwrap import indent

    from lorchestra.base.errors import visible
    from lorchestra.commands import doctor

    findings = doctor.examine(options.config)
    for mark, name, text, advice in findings:
        print(f"{mark.value:<3} {name}: {visible(text)}")
        if advice:
            print(indent(advice, "    "))
    problems = sum(finding.mark is doctor.Mark.PROBLEM for finding in findings)
    print(f"{problems} problems" if problems != 1 else "1 problem")
    return 1 if problems else 0


def _dashboard(options: argparse.Namespace) -> int:
    from lorchestra.commands import dashboard

    dashboard.dashboard(options.config, port=options.port, socket=options.socket, open_browser=options.open)
    return 0


def _schedule(options: argparse.Namespace) -> int:
    from lorchestra.commands import schedule

    if options.action == "status":
        is_active, lines = schedule.status(options.config)
    elif options.action == "remove":
        is_active, lines = True, schedule.remove(options.config)
    elif options.system:
        is_active, lines = True, [schedule.system_units(options.config, options.at).rstrip()]
    else:
        is_active, lines = True, schedule.install(options.config, options.at, cron_only=options.cron)
    print(*lines, sep="\n")
    return 0 if is_active else 1


def _audit_show(options: argparse.Namespace) -> int:
    from lorchestra.commands import audit

    for entry in audit.show(options.config, options.last):
        if options.json:
            import json

            print(json.dumps(entry))
        else:
            print(audit.text(entry))
    return 0


def _audit_verify(options: argparse.Namespace) -> int:
    from lorchestra.commands import audit

    print(audit.verify(options.config, options.files))
    return 0


def _refused(options: argparse.Namespace) -> int:
    from lorchestra.base.errors import visible
    from lorchestra.base.wording import counted
    from lorchestra.commands import refused

    if options.submit:
        found = refused.submit(options.config, options.source)
    elif options.discard:
        found = refused.discard(options.config, options.source, yes=options.yes)
    else:
        found = refused.find(options.config, options.source)
    for file in found:
        print(f"{file.source:<36} {visible(file.path.name):<48} {counted(file.lines, 'line')}")
    done = "re-submitted; run `lorchestra run`" if options.submit else "discarded" if options.discard else "waiting"
    print(f"{counted(len(found), 'refused file')} {done}" if found else "no refused files")
    return 0


def _rejects(options: argparse.Namespace) -> int:
    import json

    from lorchestra.base.errors import Code, Failure
    from lorchestra.commands import rejects

    chosen = rejects.Filter(options.type, options.rule, options.since)
    if options.action and (options.show or options.json):
        raise Failure(Code.USAGE, "`rejects retry` accepts neither --show nor --json")
    if options.action:
        return _retry_rejects(options, chosen)
    if options.show:
        for line in rejects.show(options.config, chosen):
            print(line)
        return 0
    found = rejects.report(options.config, chosen)
    print(json.dumps(rejects.as_json(found), indent=2) if options.json else rejects.text(found).rstrip())
    return 0


def _retry_rejects(options: argparse.Namespace, chosen: Filter) -> int:
    from lorchestra.commands import rejects

    marked = rejects.retry(options.config, chosen)
    for task in marked.tasks:
        print(f"will be rebuilt: {task}")
    for name in marked.stale:
        print(f"left alone, its raw files no longer exist: {name}")
    print("Next: lorchestra run --stage index" if marked.tasks else "nothing to retry")
    return 0


def _clean(options: argparse.Namespace) -> int:
    from lorchestra.base.wording import counted
    from lorchestra.commands import clean
    from lorchestra.history.stages import STAGES

    stages = [options.stage] if options.stage else list(STAGES)[0 if options.all else 1 :]
    found, gone = clean.clean(options.config, stages, stale=options.stale, dry_run=options.dry_run, yes=options.yes)
    if options.dry_run:
        for path in found.paths:
            print(path)
    verb = "removed" if gone else "would be removed" if options.dry_run else "kept"
    print(f"{counted(len(found.paths), 'path')} {verb}" if found.paths else "nothing to remove")
    return 0
