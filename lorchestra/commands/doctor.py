"""`lorchestra doctor`: what could keep a pipeline from working or records from being safe, each with a fix.

It does everything that `validate` does, and looks at the machine: versions, encryption, disk, clock, Meltano.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from lorchestra import __version__
from lorchestra.base.errors import Failure
from lorchestra.commands import validate
from lorchestra.history import runs
from lorchestra.planning import config as configuration
from lorchestra.planning.config import Config
from lorchestra.platform import clock, encryption
from lorchestra.process import programs
from lorchestra.storage import audit_check, trust
from lorchestra.storage.audit import Trail

_TRUST = frozenset({"files that run or decide", "installation"})
_LEAST_BYTES = 1024**3
_LEAST_SHARE = 0.02
_LEAST_INODES = 10_000


class Mark(Enum):
    """How a finding is shown. Only a problem makes the program fail."""

    OK = "ok"
    WARNING = "??"
    PROBLEM = "!!"


class Finding(NamedTuple):
    """Something that was looked at; `advice` says how to fix it."""

    mark: Mark
    name: str
    text: str
    advice: str = ""


def examine(path: Path) -> list[Finding]:
    """Everything about the pipeline of a configuration file and about this machine. Raises nothing that is expected."""
    findings = [*_versions(), *_clock(), *_search_path()]
    try:
        config = configuration.load(path)
        report = validate.validate(path)
    except Failure as failure:
        return [*findings, _problem("pipeline.yaml", failure)]
    checks = (_program_versions, _disk, _encryption, _last_run, _meltano, _audit)
    # A program that others could have changed is not started.
    safe = not any(check.failure and check.name in _TRUST for check in report.checks)
    findings += [
        _problem(check.name, check.failure) if check.failure else Finding(Mark.OK, check.name, "fine")
        for check in report.checks
    ]
    findings += [Finding(Mark.WARNING, "surroundings", warning) for warning in report.warnings]
    return findings + [finding for check in checks if safe for finding in check(config)]


def _problem(name: str, failure: Failure) -> Finding:
    return Finding(Mark.PROBLEM, name, failure.message, failure.advice)


def _versions() -> Iterator[Finding]:
    yield Finding(Mark.OK, "versions", f"lorchestra {__version__}, Python {platform.python_version()}")


def _search_path() -> Iterator[Finding]:
    """A script that begins with `#!/usr/bin/env python3` runs what the first of these directories holds."""
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        if not Path(directory).is_absolute():
            text = f"PATH contains {directory or 'an empty entry'}: the current directory"
            yield Finding(Mark.WARNING, "PATH", text, "Remove it from PATH.")
            continue
        for exposure in trust.examine_ways([Path(directory)], shared=False):
            yield Finding(Mark.WARNING, "PATH", str(exposure), "Close it to others, or remove it from PATH.")


def _program_versions(config: Config) -> Iterator[Finding]:
    """The components should be of the same release: their formats belong together."""
    for name, command in (("canonizer", config.canonize.command), ("projector", config.index.command)):
        try:
            version = programs.version(command)
        except Failure:
            continue  # reported by `validate`
        if not version:
            advice = "Run it with --version by hand, and install it again."
            yield Finding(Mark.PROBLEM, f"{name} version", f"{command[0]} does not answer --version", advice)
        elif version.split()[0] in ("can", "vector-projector") and version.split()[1:2] != [__version__]:
            advice = "Install the release that lorchestra belongs to, or correct `command`."
            yield Finding(Mark.WARNING, f"{name} version", f"{version}, but lorchestra is {__version__}", advice)
        else:
            yield Finding(Mark.OK, f"{name} version", version)


def _disk(config: Config) -> Iterator[Finding]:
    for name, directory in (("PHI directory", config.phi_directory), ("log directory", config.log_directory)):
        existing = next(parent for parent in (directory, *directory.parents) if parent.exists())
        status = os.statvfs(existing)
        free = status.f_bavail * status.f_frsize
        low = free < _LEAST_BYTES or status.f_bavail < _LEAST_SHARE * status.f_blocks
        few = status.f_files > 0 and status.f_favail < _LEAST_INODES
        text = f"{name} has {free / 1024**3:,.1f} GiB free" + (f", {status.f_favail:,} inodes" if few else "")
        advice = "Free space, or move the directory to a larger file system." if low or few else ""
        yield Finding(Mark.WARNING if low or few else Mark.OK, "disk", text, advice)


def _encryption(config: Config) -> Iterator[Finding]:
    """What is not encrypted is among the warnings of `validate`."""
    found = encryption.at_rest(config.phi_directory)
    if found.encrypted:
        yield Finding(Mark.OK, "encryption", f"PHI directory is encrypted at rest ({found.how})")
    elif found.encrypted is None:
        advice = "Make sure that this file system is encrypted: lorchestra cannot tell."
        yield Finding(Mark.WARNING, "encryption", f"PHI directory is on {found.how}", advice)


def _clock() -> Iterator[Finding]:
    if clock.is_synchronized() is False:
        advice = "Raw files are named by the date: run a time service, such as systemd-timesyncd or chrony."
        yield Finding(Mark.WARNING, "clock", "not synchronized with a time server", advice)
    else:
        yield Finding(Mark.OK, "clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"))


def _last_run(config: Config) -> Iterator[Finding]:
    state = runs.read(config.log_directory)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if state and str(state["last_run"]) > now:
        text = f"the last run is dated {state['last_run']}, which is in the future"
        yield Finding(Mark.PROBLEM, "clock", text, "Set the clock. Files of wrong dates are not moved by themselves.")


def _meltano(config: Config) -> Iterator[Finding]:
    """Whether each project's Meltano can be started; `validate` checks the projects themselves."""
    projects = {
        Path(source.settings.get("venv_path", Path(source.settings["repo_path"], ".venv"))) / "bin" / "meltano"
        for source in config.extract.sources
        if source.type == "meltano"
    }
    for program in sorted(projects):
        status, output = programs.answer([str(program), "--version"])
        if status:
            advice = f"Install it: {program.parent}/pip install meltano, then `meltano install` in the project."
            yield Finding(Mark.PROBLEM, "Meltano", f"{program} cannot be started", advice)
        else:
            yield Finding(Mark.OK, "Meltano", output.strip())


def _audit(config: Config) -> Iterator[Finding]:
    trail = Trail(config.work_directory / "audit")
    if not (trail.directory / "logs").is_file():
        return
    try:
        report = audit_check.verify(trail)
    except OSError:
        yield Finding(Mark.PROBLEM, "audit log", "cannot be read", "Check the owner and mode of the log directory.")
        return
    text = f"{report.entries:,} entries intact"
    if report.findings:
        text = f"{len(report.findings):,} findings"
    advice = "Run `lorchestra audit verify`." if report.findings else ""
    yield Finding(Mark.PROBLEM if report.findings else Mark.OK, "audit log", text, advice)
