"""`lorchestra validate`: everything that can be checked before a run, without running anything on records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lorchestra import phi
from lorchestra.base.errors import Code, Failure
from lorchestra.planning import config as configuration
from lorchestra.planning.config import Config
from lorchestra.planning.snapshot import Snapshot
from lorchestra.planning.task_store import FILE, TaskStore
from lorchestra.process import programs
from lorchestra.stages.extract import extraction


class Check(NamedTuple):
    """One thing that was looked at; `failure` is None where it is sound."""

    name: str
    failure: Failure | None


def validate(path: Path) -> list[Check]:
    """Check all but the records themselves. Raises ConfigFailure where the configuration is not one."""
    config = configuration.load(path)
    snapshot = Snapshot(config, TaskStore(str(config.log_directory / FILE)))
    checks: dict[str, Callable[[], object]] = {
        "configuration": lambda: phi.trust(path),
        "PHI directories": lambda: phi.require(config.phi_directories, snapshot.canonical_files, make=False),
        "canonizer": lambda: programs.find(config.canonize.command[0]),
        "projector": lambda: programs.find(config.index.command[0]),
        "sources": lambda: _sources(config),
        "transforms": lambda: snapshot.rules,
        "mappings": lambda: snapshot.plan,
        "registry": lambda: _registry(config),
    }
    return [Check(name, _failure(check)) for name, check in checks.items()]


def _failure(check: Callable[[], object]) -> Failure | None:
    try:
        check()
    except Failure as failure:
        return failure
    return None


def _sources(config: Config) -> None:
    for source in extraction.every(config.extract.sources):
        if source.type == "command":
            programs.find(source.settings["command"][0])


def _registry(config: Config) -> None:
    """What `can registry validate` finds; its findings name files of the registry, never records."""
    program = programs.find(config.canonize.command[0])
    arguments = ("registry", "validate", "--registry", str(config.canonize.registry))
    status, output = programs.answer([str(program), *config.canonize.command[1:], *arguments])
    if status:
        raise Failure(Code.TRANSFORM_INVALID, output.strip() or f"{program.name} registry validate ended with {status}")
