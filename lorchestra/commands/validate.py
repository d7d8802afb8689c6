"""`lorchestra validate`: every check that is possible without processing records; `--fix` repairs permissions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lorchestra import phi
from lorchestra.base.errors import Code, Failure, visible
from lorchestra.planning import config as configuration
from lorchestra.planning import plan, preflight, surroundings, trusted_files
from lorchestra.planning.config import Config
from lorchestra.planning.snapshot import Snapshot
from lorchestra.process import programs
from lorchestra.stages.extract import extraction
from lorchestra.storage import repair


class Check(NamedTuple):
    """One thing that was checked; `failure` is None if it passed."""

    name: str
    failure: Failure | None


class Report(NamedTuple):
    """The checks, the warnings about the place of the PHI directory, and the commands that `--fix` carried out."""

    checks: list[Check]
    warnings: list[str]
    repaired: list[str]


def validate(path: Path, *, fix: bool = False) -> Report:
    """Check everything but the records. `fix` first takes away rights of others that the checks would report.

    Raises ConfigFailure where pipeline.yaml is invalid, Failure(INSECURE) where others could have changed it.
    """
    config = configuration.load(path)
    exposed = list(dict.fromkeys(trusted_files.examine(config)))
    snapshot = Snapshot(config, preflight.task_store(config))
    # Whoever can change a program or the configuration could misuse a repair: then nothing is repaired.
    repaired = repair.repair(preflight.examine(snapshot)) if fix and not exposed else []
    snapshot.forget_files()
    checks: dict[str, Callable[[], object]] = {
        "files that run or decide": lambda: trusted_files.refuse(exposed),
        "installation": lambda: trusted_files.require_installation(config),
        "PHI directories": lambda: phi.refuse(e for e in preflight.examine(snapshot) if e not in exposed),
        "canonizer": lambda: programs.find(config.canonize.command[0]),
        "projector": lambda: programs.find(config.index.command[0]),
        "sources": lambda: _sources(config),
        "transforms": lambda: snapshot.rules,
        "mappings": lambda: _mappings(snapshot),
        "write access": lambda: _write_access(config),
        "registry": lambda: _registry(config),
    }
    return Report(_run(checks), list(surroundings.warnings(config)), repaired)


def _run(checks: dict[str, Callable[[], object]]) -> list[Check]:
    """Carry out the checks. A program that others could have changed is not started; a fault is reported once."""
    found: list[Check] = []
    reported = set[str]()
    for name, check in checks.items():
        if name == "registry" and any(entry.failure and entry.failure.code is Code.INSECURE for entry in found):
            break
        failure = _failure(check)
        if failure is None or failure.message not in reported:
            found.append(Check(name, failure))
        reported.add(failure.message if failure else "")
    return found


def _failure(check: Callable[[], object]) -> Failure | None:
    try:
        check()
    except Failure as failure:
        return failure
    return None


def _sources(config: Config) -> None:
    for entry in config.extract.sources:
        if failure := extraction.fault(entry):
            raise failure
    for source in extraction.every(config.extract.sources):
        if "command" in source.settings:
            programs.find(source.settings["command"][0])


def _mappings(snapshot: Snapshot) -> None:
    for mapping in snapshot.config.canonize.mappings:
        if not plan.can_match(mapping.source_pattern):
            message = f'source_pattern "{visible(mapping.source_pattern)}" can match no raw file'
            raise Failure(Code.CONFIG, message, advice="Raw files are named {source}-{entity}-{account}-{date}.jsonl.")
    _ = snapshot.plan  # raises if two mappings contradict each other


def _write_access(config: Config) -> None:
    for directory in (*config.phi_directories, config.log_directory):
        existing = next(path for path in (directory, *directory.parents) if path.exists())
        if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
            raise Failure(Code.PERMISSION, f"{visible(str(existing))}: cannot create or change files there")


def _registry(config: Config) -> None:
    """The findings of `can registry validate`, which name files of the registry and nothing from records."""
    program = programs.find(config.canonize.command[0])
    arguments = ("registry", "validate", "--registry", str(config.canonize.registry))
    status, output = programs.answer([str(program), *config.canonize.command[1:], *arguments])
    if status:
        message = output.strip() or f"{program.name} registry validate ended with {status}"
        raise Failure(Code.TRANSFORM_INVALID, message, advice="Fix the files listed.")
