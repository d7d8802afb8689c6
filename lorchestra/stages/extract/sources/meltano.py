"""`type: meltano`: the real Meltano, in its own project and virtual environment, one run per extractor.

In a Meltano job the first extractor that fails stops all others, so each extractor of a job runs alone.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from lorchestra.base.errors import Code, Failure, Outcome, visible
from lorchestra.base.wording import counted
from lorchestra.planning.config import Source
from lorchestra.process import runner
from lorchestra.records import jsonl
from lorchestra.stages.extract import loader_report
from lorchestra.stages.extract.loader_report import StreamReport
from lorchestra.stages.extract.sources import meltano_project, meltano_system
from lorchestra.stages.extract.sources.attempt import Attempt, AttemptResult, how_it_ended
from lorchestra.stages.extract.sources.command import environment
from lorchestra.stages.extract.sources.meltano_events import Events
from lorchestra.stages.extract.sources.meltano_system import Bookmarks
from lorchestra.stages.extract.sources.source_type import SourceType
from lorchestra.stages.extract.staging import Published
from lorchestra.storage import private

_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "meltano.core.logging.json_formatter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "level": "INFO", "formatter": "json", "stream": "ext://sys.stderr"}
    },
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
"""At level DEBUG Meltano logs every record, and a project may have set that level. JSON is YAML."""

_ARGUMENTS = "LORCHESTRA_ARGUMENTS"
_START = f"""\
import sys
sys.path[:] = filter(None, sys.path)
import json, os, runpy
sys.argv = json.loads(os.environ.pop("{_ARGUMENTS}"))
runpy.run_path(sys.argv[0], run_name="__main__")"""
"""Starts Meltano with arguments from the environment: names of extractors are names of accounts, and every user can
read the arguments of programs. The second line takes the working directory off the module search path."""

PARALLEL = 4
"""How many extractors of a project run at once. They wait for networks, so this does not depend on cores."""

_NOT_A_PROJECT = 2
"""Meltano's exit status if its directory is not a project; every other one is "failed"."""


class Meltano(SourceType):
    """Runs one extractor of a Meltano project."""

    own_name_only = False
    has_windows = has_full_refresh = True

    def expand(self, source: Source) -> tuple[Source, ...]:
        """One source for each extractor."""
        return (source,) if "blocks" in source.settings else meltano_project.expand(source)

    def bookmark(self, source: Source, own: Path) -> datetime | None:
        """When the bookmark last moved, from Meltano's database or the state directory."""
        return meltano_system.bookmark(source, own)

    def attempt(self, task: Attempt) -> AttemptResult:
        """Run one extractor. Raises Failure(COMPONENT_MISSING | MISSING | CONFIG)."""
        settings = task.settings
        repo = Path(settings["repo_path"])
        project = meltano_project.read(repo)
        meltano = Path(settings.get("venv_path", repo / ".venv")) / "bin" / "meltano"
        if "blocks" not in settings:  # the entry could not be expanded when the run was planned
            meltano_project.expand(task.source)
        blocks = settings.get("blocks") or (settings.get("extractor", task.source.name), settings["loader"])
        project.check(blocks[0], blocks[-1])
        project.require_installed(blocks[0], blocks[-1])
        bookmarks = Bookmarks(task.private, repo, Path(settings["state"]) if "state" in settings else None, blocks[0])
        system = bookmarks.prepare()
        env = _environment(task) | _window(task, blocks[0]) | {"MELTANO_SYS_DIR_ROOT": str(system)}
        argv = [str(meltano), "run", "--no-install", "--force", f"--run-id={uuid.uuid4()}", *_options(task), *blocks]
        if _is_python(meltano):
            argv, env = [str(meltano.with_name("python")), "-c", _START], env | {_ARGUMENTS: json.dumps(argv)}
        events = Events(task.progress)
        with meltano_system.turn(task.private.parent, repo, settings.get("parallel", PARALLEL)):
            try:
                finished = task.run(argv, cwd=repo, env=env, on_line=events.line)
            finally:
                meltano_system.remove_credentials(system)
        failed = finished.status != 0 or finished.timed_out
        outcome = _outcome(finished, events) if failed else _check_delivery(task.output, blocks, events)
        if outcome.code and (not failed or _may_have_lost(task.output, blocks, events)):
            bookmarks.roll_back()

        def published(published: Published) -> None:
            if published.safe:
                bookmarks.commit()
            elif published.refused:
                bookmarks.roll_back()

        mixed = not failed and not loader_report.read(task.output) and _mixed(_files(task.output), events)
        return AttemptResult(*outcome, log=finished.log, mixed=mixed, published=published)


def _is_python(program: Path) -> bool:
    """Whether a program is a script of the Python next to it."""
    try:
        with program.open("rb") as file:
            first = file.readline(_LONGEST_FIRST_LINE)
    except OSError:
        return False
    return first.startswith(b"#!") and b"python" in first and program.with_name("python").exists()


_LONGEST_FIRST_LINE = 512


def _outcome(finished: runner.Finished, events: Events) -> Outcome:
    code = Code.CONFIG if finished.status == _NOT_A_PROJECT else runner.foreign_code(finished)
    return Outcome(code, ", ".join(filter(None, [how_it_ended("meltano", finished), *events.reasons])), events.advice)


def _check_delivery(output: Path, blocks: Sequence[str], events: Events) -> Outcome:
    """Whether the loader wrote what the extractor sent. A loader that loses records ends with exit status 0."""
    if report := loader_report.read(output):
        return _check_report(output, blocks, events, report)
    files = _files(output)
    loader = blocks[-1]
    if events.records and not files:
        return Outcome(Code.CONFIG, f"{loader} wrote its records elsewhere: its destination must be $RAW_DIR")
    streams = sorted(events.streams)
    if _mixed(files, events):
        return Outcome(
            Code.CONFIG,
            f"{loader} wrote {len(streams)} streams into {counted(len(files), 'file')}: "
            f"{', '.join(map(visible, streams))}; none of it was published",
            "Use target-lorchestra as the loader (docs/target.md), or select one stream.",
        )
    written = sum(map(_records, files))
    if len(blocks) == 2 and written < events.records:  # a mapper may drop records
        return _lost(f"{blocks[0]} sent {events.records:,} records", f"{loader} wrote {written:,}")
    return Outcome()


def _check_report(output: Path, blocks: Sequence[str], events: Events, report: Mapping[str, StreamReport]) -> Outcome:
    """Whether each stream arrived, by the report of a loader that counts what it wrote."""
    for name, stream in report.items():
        written = _records(output / stream.file) if stream.records else 0
        if written < stream.records:
            wrote = f"{blocks[-1]} reported {stream.records:,} records of stream {visible(name)}"
            return _lost(wrote, f"its file has {written:,}")
    for name, sent in events.streams.items() if len(blocks) == 2 else ():  # a mapper may drop or rename streams
        loaded = report[name].records + report[name].discarded if name in report else 0
        if loaded < sent:
            return _lost(f"{blocks[0]} sent {sent:,} records of stream {name}", f"{blocks[-1]} received {loaded:,}")
    return Outcome()


def _may_have_lost(output: Path, blocks: Sequence[str], events: Events) -> bool:
    """Whether a failed run may have saved a bookmark for records that its loader did not write.

    A loader that reports prints STATE only after its records are durable.
    """
    written = sum(map(_records, _files(output)))
    return len(blocks) == 2 and written < events.records and not loader_report.read(output)


def _lost(sent: str, received: str) -> Outcome:
    return Outcome(Code.SOURCE_FAILED, f"{sent} but {received}; its bookmark stays")


def _files(output: Path) -> list[Path]:
    return [path for path in output.iterdir() if path.is_file() and path.name != loader_report.REPORT]


def _records(path: Path) -> int:
    """The lines of a file; none if it is missing, or compressed and damaged."""
    try:
        return jsonl.count(str(path))
    except (Failure, OSError):
        return 0


def _mixed(files: Sequence[Path], events: Events) -> bool:
    """Whether some file must hold more than one stream, as far as the extractor's metrics tell."""
    return 0 < len(files) < len(events.streams)


def _environment(task: Attempt) -> dict[str, str]:
    """What Meltano gets to see: the allow-list, where to write, and no reason to talk to anybody but the source."""
    loader = task.settings["loader"]
    config = task.scratch / "logging.yaml"
    private.write(config, json.dumps(_LOGGING).encode(), durable=False)
    variables = environment(task) | {
        "RAW_DIR": str(task.output),
        "RUN_DATE": task.date,
        _variable(loader, "destination_path"): str(task.output),
        # target-jsonl writes all streams to one file if it has a custom name; without one it writes a file per stream.
        _variable(loader, "custom_name"): "",
        _variable(loader, "do_timestamp_file"): "false",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
        "MELTANO_CLI_LOG_CONFIG": str(config),
        "XDG_STATE_HOME": str(task.scratch),
        "NO_COLOR": "1",
    }
    if "state" in task.settings:
        private.make_directory(Path(task.settings["state"]))
        variables["MELTANO_STATE_BACKEND_URI"] = f"file://{task.settings['state']}"
    if "environment" in task.settings:
        variables["MELTANO_ENVIRONMENT"] = task.settings["environment"]
    return variables


def _window(task: Attempt, extractor: str) -> dict[str, str]:
    """The time window in environment variables; a name that is not in upper case is a setting of the extractor."""
    filled = task.source.window.fill(task.settings.get("window", {})) if task.source.window else {}
    return {name if name.isupper() else _variable(extractor, name): text for name, text in filled.items()}


def _options(task: Attempt) -> list[str]:
    """A window asks for records whatever the bookmark says, and leaves the bookmark where it is."""
    window = task.source.window
    if window and window.start:
        return ["--full-refresh", "--no-state-update"]
    return ["--full-refresh"] if window and window.full_refresh else []


def _variable(plugin: str, setting: str) -> str:
    return re.sub(r"[-.]", "_", f"{plugin}_{setting}").upper()
