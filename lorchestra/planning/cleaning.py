"""Removing files that can be rebuilt, after confirmation."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from lorchestra.base.commandline import confirm
from lorchestra.base.errors import Code, Failure
from lorchestra.planning.config import Config
from lorchestra.records import names, targets
from lorchestra.storage import listing


def files_of(config: Config, name: str) -> list[Path]:
    """A canonical file, as `email-20251112`, with its rejects and its lineage: those that exist."""
    paths = map(Path, targets.files(config.canonize.output_dir, name))
    return [path for path in paths if path.exists()]


def canonical_names(config: Config) -> list[str]:
    """The canonical files that exist, as `email-20251112`."""
    found = (names.parse_canonical(name) for name in listing.read(config.canonize.output_dir).files)
    return sorted(f"{name.stem}-{name.date}" for name in found if name)


def raw_files(config: Config) -> list[Path]:
    """The raw files that follow the naming convention."""
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
    """`doit clean` for canonical files."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def confirm(self) -> None:
        """Ask once, before any task is cleaned. Raises Failure(USAGE) if the answer is not yes."""
        directory = self._config.canonize.output_dir
        question = f"Remove canonical files from {directory}? They can be rebuilt from the raw files."
        if not confirm(question, advice="Use `lorchestra clean --stage canonize --yes`, or look first with -n."):
            raise Failure(Code.USAGE, "not confirmed; nothing was removed", advice="")

    def __call__(self, name: str, dryrun: bool) -> None:
        """Remove a canonical file with its rejects and lineage."""
        paths = files_of(self._config, name)
        for path in paths:
            sys.stdout.write(f"canonize:{name} - {'would remove' if dryrun else 'removing'} {os.path.relpath(path)}\n")
        if not dryrun:
            remove(paths)

    def __repr__(self) -> str:
        return "<remove canonical files"  # doit prints it without the first character
