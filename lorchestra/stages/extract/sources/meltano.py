"""`type: meltano`: the real Meltano, in its own project and virtual environment, one run an extractor.

In a job the first extractor that fails holds back all others, so a job is taken apart and each extractor runs alone.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection
from pathlib import Path

from lorchestra.base.errors import Code, Failure
from lorchestra.process import runner
from lorchestra.stages.extract.sources import meltano_project, meltano_system
from lorchestra.stages.extract.sources.attempt import Attempt, Outcome, how_it_ended
from lorchestra.stages.extract.sources.command import environment
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
"""At level DEBUG Meltano logs every record, and a project may ask for that; JSON is YAML."""

PARALLEL = 2
"""How many extractors of a project run at once: a third gains next to nothing on the machines that were measured."""


def attempt(task: Attempt) -> Outcome:
    """Run one extractor. Raises Failure(COMPONENT_MISSING | MISSING | CONFIG)."""
    settings = task.settings
    repo = Path(settings["repo_path"])
    project = meltano_project.read(repo)
    meltano = Path(settings.get("venv_path", repo / ".venv")) / "bin" / "meltano"
    blocks = settings.get("blocks") or (settings.get("extractor", task.source.name), settings["loader"])
    project.check(blocks[0], blocks[-1])
    project.require_installed(blocks[0], blocks[-1])
    system = meltano_system.prepare(task.private, repo)
    env = _environment(task, project) | {"MELTANO_SYS_DIR_ROOT": str(system)}
    argv = [str(meltano), "run", "--no-install", "--force", f"--run-id={uuid.uuid4()}", *blocks]
    events = _Events(task.progress)
    with meltano_system.turn(task.private.parent, repo, settings.get("parallel", PARALLEL)):
        try:
            finished = task.run(argv, cwd=repo, env=env, on_line=events.line)
        finally:
            meltano_system.remove_credentials(system)
    code = runner.code(finished, Code.SOURCE_FAILED)
    what = ", ".join(filter(None, [how_it_ended("meltano", finished), events.failed])) if code else ""
    if code is None and events.records and not any(task.output.iterdir()):
        code, what = Code.CONFIG, f"{blocks[-1]} wrote its records elsewhere: its destination must be $RAW_DIR"

    def published(_names: Collection[str], whole: bool) -> None:
        if whole:
            meltano_system.commit(task.private)

    return Outcome(code, what, finished.log, published=published)


def _environment(task: Attempt, project: meltano_project.Project) -> dict[str, str]:
    """What Meltano gets to see: the allow-list, where to write, and no reason to talk to anybody but the source."""
    loader = task.settings["loader"]
    config = task.scratch / "logging.yaml"
    private.write(config, json.dumps(_LOGGING).encode(), durable=False)
    variables = environment(task) | {
        "RAW_DIR": str(task.output),
        "RUN_DATE": task.date,
        _variable(loader, "destination_path"): str(task.output),
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
        "MELTANO_CLI_LOG_CONFIG": str(config),
        "XDG_STATE_HOME": str(task.scratch),
        "NO_COLOR": "1",
    }
    if "custom_name" not in (project.loaders[loader].get("config") or {}):  # else target-jsonl's names would be refused
        variables[_variable(loader, "custom_name")] = f"{task.source.name}-{task.date}"
        variables[_variable(loader, "do_timestamp_file")] = "false"
    if "state" in task.settings:
        private.make_directory(Path(task.settings["state"]))
        variables["MELTANO_STATE_BACKEND_URI"] = f"file://{task.settings['state']}"
    if "environment" in task.settings:
        variables["MELTANO_ENVIRONMENT"] = task.settings["environment"]
    if "MELTANO_ENVIRONMENT" not in variables and not project.has_default_environment:
        raise Failure(
            Code.CONFIG,
            f"source {task.source.name}: Meltano wants an environment",
            advice="Set `environment`, or default_environment in meltano.yml.",
        )
    return variables


def _variable(plugin: str, setting: str) -> str:
    return f"{plugin}_{setting}".replace("-", "_").upper()


class _Events:
    """Takes from the lines of Meltano's log how many records came and which part failed, and not a word else."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress = progress
        self.records = 0
        self.failed = ""

    def line(self, line: bytes) -> None:
        if b"record_count" in line and (count := _record_count(line)):
            self.records += count
            self._progress(self.records)
        if b'"exit_codes"' in line:
            self.failed = _failed_part(line) or self.failed


def _record_count(line: bytes) -> int:
    """The count in a line that an extractor's metric makes, 0 in any other."""
    try:
        event = json.loads(line)
        metric = event.get("metric_info")
        if metric is None:
            metric = json.loads(event["event"].partition("METRIC: ")[2])
        counts = event.get("producer") and metric["metric"] == "record_count" and metric["type"] == "counter"
        return max(0, int(metric["value"])) if counts else 0
    except _NOT_AN_EVENT:
        return 0


def _failed_part(line: bytes) -> str:
    """The first part that `exit_codes` of the last event names, such as "its extractor ended with status 1"."""
    try:
        codes = json.loads(line)["exit_codes"]
        return next(f"its {part} ended with status {codes[f'{part}s']:d}" for part in _PARTS if f"{part}s" in codes)
    except (*_NOT_AN_EVENT, StopIteration):
        return ""


_PARTS = ("extractor", "mapper", "loader")
_NOT_AN_EVENT = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
