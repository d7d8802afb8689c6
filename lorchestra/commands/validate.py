"""`lorchestra validate`: everything that can be checked before a run, without running anything on records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lorchestra import config as configuration
from lorchestra import phi
from lorchestra.base.errors import Code, Failure
from lorchestra.config import Config
from lorchestra.graph.store import FILE, TaskStore
from lorchestra.graph.survey import Survey
from lorchestra.process import programs
from lorchestra.stages import extract


class Check(NamedTuple):
    """One thing that was looked at; `failure` is None where it is sound."""

    name: str
    failure: Failure | None


def validate(path: Path) -> list[Check]:
    """Check all but the records themselves. Raises ConfigFailure where the configuration is not one."""
    config = configuration.load(path)
    survey = Survey(config, TaskStore(str(config.log_directory / FILE)))
    checks: dict[str, Callable[[], object]] = {
        "configuration": lambda: phi.trust(path),
        "PHI directories": lambda: phi.require(config.phi_directories, survey.shelf, make=False),
        "canonizer": lambda: programs.find(config.canonize.command[0]),
        "projector": lambda: programs.find(config.index.command[0]),
        "sources": lambda: _sources(config),
        "transforms": lambda: survey.rules,
        "mappings": lambda: survey.plan,
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
    for source in extract.every(config.extract.sources):
        if source.type == "command":
            programs.find(source.settings["command"][0])


def _registry(config: Config) -> None:
    """What `can registry validate` finds; its findings name files of the registry, never records."""
    program = programs.find(config.canonize.command[0])
    arguments = ("registry", "validate", "--registry", str(config.canonize.registry))
    status, output = programs.answer([str(program), *config.canonize.command[1:], *arguments])
    if status:
        raise Failure(Code.TRANSFORM_INVALID, output.strip() or f"{program.name} registry validate ended with {status}")
