"""The files and directories that run or decide: whoever can change one of them can run code with our rights.

They are pipeline.yaml's neighbours that doit and make read, the registry, the programs, our own installation, the
sources' directories and the logs. pipeline.yaml itself is checked while it is read (`storage.trust.read`).
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from lorchestra.base.errors import Failure, visible
from lorchestra.planning.config import Config
from lorchestra.process import programs
from lorchestra.storage import listing, trust
from lorchestra.storage.trust import Exposure

_PROJECT = ("dodo.py", "pyproject.toml", "doit.cfg", "Makefile")
_PACKAGE = Path(__file__).parents[1]
_SETTINGS = ("repo_path", "venv_path", "cwd", "inbox", "path", "state")


def require(config: Config) -> None:
    """Raise Failure(INSECURE) if others can change anything that runs or decides."""
    refuse(examine(config))


def require_programs(config: Config) -> None:
    """The same for the programs only."""
    refuse(trust.examine_ways(_files(config)))


def require_project(directory: Path, dodo: str = "dodo.py") -> None:
    """The same for the files that doit reads before it loads tasks: call this before dodo.py is imported."""
    refuse(trust.examine_ways(directory / name for name in dict.fromkeys((dodo, *_PROJECT))))


def require_installation(config: Config) -> None:
    """The same for the programs and libraries that a run starts, file by file: ours, and the Meltano projects."""
    meltano = (s.settings[k] for s in config.extract.sources for k in ("repo_path", "venv_path") if k in s.settings)
    trees = dict.fromkeys((*_installation(), *map(Path, meltano)))
    refuse(exposure for tree in trees for exposure in trust.examine_tree(tree))


def examine(config: Config) -> Iterator[Exposure]:
    """Every exposure of the files that run or decide; of our installation only the paths that lead to it."""
    yield from trust.examine_ways(_files(config))
    yield from trust.examine_ways(_directories(config), shared=False)
    for tree in dict.fromkeys((config.canonize.registry, config.canonize.schemas)):
        yield from trust.examine_tree(tree)
    yield from _examine_logs(config.log_directory)


def refuse(exposures: Iterable[Exposure]) -> None:
    """Raise Failure(INSECURE) if there are any exposures."""
    found = list(exposures)
    if found:
        raise trust.insecure(found)


def _files(config: Config) -> Iterator[Path]:
    yield from (config.path.parent / name for name in _PROJECT)
    yield Path(sys.executable)
    if config.index.config:
        yield config.index.config
    notify = config.notify.command if config.notify else ()
    for command in (config.canonize.command, config.index.command, notify):
        yield from _command(command, config.path.parent)
    for source in config.extract.sources:
        yield from _command(source.settings.get("command", ()), Path(source.settings.get("cwd", config.path.parent)))
        if "repo_path" in source.settings:
            yield Path(source.settings["repo_path"]) / "meltano.yml"


def _directories(config: Config) -> Iterator[Path]:
    yield from (config.canonize.registry, config.canonize.schemas, config.log_directory, *_installation())
    for source in config.extract.sources:
        yield from (Path(source.settings[name]) for name in _SETTINGS if name in source.settings)


def _installation() -> list[Path]:
    """Our package, and the virtual environment; without one, the system's Python is its administrator's concern."""
    return [_PACKAGE, *([Path(sys.prefix)] if sys.prefix != sys.base_prefix else [])]


def _command(command: tuple[str, ...], directory: Path) -> Iterator[Path]:
    """The program of a command and the files among its words; a missing program is reported when it is started."""
    with contextlib.suppress(Failure):
        yield from (programs.find(word) for word in command[:1])
    yield from (path for word in command[1:] if "\0" not in word and (path := directory / word).is_file())


def _examine_logs(directory: Path) -> Iterator[Exposure]:
    """State and logs hold names of files, and so of accounts."""
    listed = listing.read(directory)
    enterable = bool(listed.files) and bool(os.stat(directory).st_mode & 0o011)
    faulty = [
        name
        for name, status in listed.files.items()
        if name.startswith(("pipeline-", "state.json", "runs.jsonl", "audit"))
        and (
            status.st_uid != os.geteuid()
            or status.st_nlink > 1
            or status.st_mode & 0o022
            or (enterable and status.st_mode & 0o044)
        )
    ]
    links = [name for name, status in listed.others.items() if not stat.S_ISREG(status.st_mode) and name[0] != "."]
    if faulty:
        fault = f"log directory {visible(str(directory))}: {trust.entries_are(len(faulty))} open to others or shared."
        yield Exposure(fault, command=("chmod", "-R", "go=", str(directory)), safe=True)
    if links:
        fault = f"log directory {visible(str(directory))}: {trust.entries_are(len(links))} not a file or directory."
        yield Exposure(fault, "Move them away.")
