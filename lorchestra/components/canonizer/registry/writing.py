"""Writing into a registry: whole files, readable as registries are; nothing in one is private."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from lorchestra.base.errors import Code, Failure, from_os_error

_NEW_FILE = 0o644
_NEW_DIRECTORY = 0o755


def replace(path: Path, content: bytes) -> None:
    """Replace a file whole, its mode kept. Raises Failure for what the system refuses."""
    _write(path, content, path.stat().st_mode & 0o777)


def refuse_existing(paths: Iterable[Path]) -> None:
    """Raise Failure(USAGE) where one of some files is there already."""
    for path in paths:
        if os.path.lexists(path):
            raise Failure(Code.USAGE, f"{path}: exists already", advice="Choose another name; nothing was written.")


def create(path: Path, content: bytes) -> None:
    """A new file and its missing directories."""
    for missing in reversed([parent for parent in path.parents if not parent.exists()]):
        missing.mkdir()
        missing.chmod(_NEW_DIRECTORY)
    _write(path, content, _NEW_FILE)


def _write(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp~")
    failure: Failure | None = None
    try:
        with open(temporary, "xb") as file:  # rule: open-for-writing - the registry
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        failure = from_os_error(error, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    if failure:
        raise failure
