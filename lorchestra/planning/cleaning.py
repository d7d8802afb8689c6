"""Removing what can be made again, and only after a yes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from lorchestra.base.commandline import confirm
from lorchestra.base.errors import Failure
from lorchestra.planning.config import Config
from lorchestra.records import names, targets
from lorchestra.storage import listing


def files_of(config: Config, name: str) -> list[Path]:
    """A canonical file, as `email-20251112`, with its rejects and its lineage: those that are there."""
    paths = map(Path, targets.files(config.canonize.output_dir, name))
    return [path for path in paths if path.exists()]


def canonical_names(config: Config) -> list[str]:
    """The canonical files that lie there, as `email-20251112`."""
    found = (names.parse_canonical(name) for name in listing.read(config.canonize.output_dir).files)
    return sorted(f"{name.stem}-{name.date}" for name in found if name)


def raw_files(config: Config) -> list[Path]:
    """The raw extracts that lie there and follow the naming convention."""
    directory = config.extract.output_dir
    return sorted(directory / name for name in listing.read(directory).files if names.parse_raw(name))


def remove(paths: Iterable[Path]) -> None:
    """Remove files and directory trees. Links are removed, not followed."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


class Cleaner:
    """`doit clean` for canonical files: one question, whatever the number of tasks."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._answer: bool | None = None

    def __call__(self, name: str, dryrun: bool) -> None:
        """Remove a canonical file with its rejects and lineage, if the user said yes."""
        paths = files_of(self._config, name)
        if not paths:
            return
        if self._answer is None and not dryrun:
            self._answer = self._ask()
        if dryrun or self._answer:
            for path in paths:
                sys.stdout.write(
                    f"canonize:{name} - {'would remove' if dryrun else 'removing'} {os.path.relpath(path)}\n"
                )
        if self._answer and not dryrun:
            remove(paths)

    def __repr__(self) -> str:
        return "<removal, after a yes at the terminal>"  # doit shows it, cut at both ends as it cuts a function's

    def _ask(self) -> bool:
        directory = self._config.canonize.output_dir
        try:
            return confirm(f"Remove canonical files from {directory}? They can be made again from the raw files.")
        except Failure as failure:
            # doit keeps what an action prints to itself.
            os.write(2, f"{failure.message}: use `lorchestra clean --stage canonize --yes`\n".encode())
            return False
