"""The port to where files are stored. `LocalStorage` is a directory; a bucket can implement the same contract."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from lorchestra.base.errors import from_os_error
from lorchestra.storage import atomic, listing, private


class Version(NamedTuple):
    """What identifies a file's content: two equal versions mean that it was not changed in between."""

    size: int
    token: str


class Storage(Protocol):
    """Private files by relative name, such as `canonical/email-20251112.jsonl`.

    Every method raises Failure(MISSING | PERMISSION | NO_SPACE | TRY_LATER) and nothing else.
    """

    def list(self, directory: str) -> Mapping[str, Version]:
        """The files directly in a directory, without temporary ones; a missing directory is empty."""

    def read(self, name: str) -> bytes:
        """The content of a file, complete."""

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Write files. Each appears completely or not at all and is durable; they appear in the given order."""

    def lock(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Exclude every other holder. Raises Failure(BUSY). It is released when the holder dies."""


class LocalStorage:
    """Files below a private directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self, directory: str) -> Mapping[str, Version]:
        """See `Storage.list`."""
        files = listing.read(self._root / directory).files
        return {name: Version(status.st_size, str(listing.identity(status))) for name, status in files.items()}

    def read(self, name: str) -> bytes:
        """See `Storage.read`."""
        try:
            return (self._root / name).read_bytes()
        except OSError as error:
            raise from_os_error(error, self._root / name) from None

    def write(self, contents: Mapping[str, bytes]) -> None:
        """See `Storage.write`."""
        with atomic.stage(*(self._root / name for name in contents)) as files:
            for file, content in zip(files, contents.values(), strict=True):
                file.write(content)
            atomic.commit(files)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """See `Storage.lock`."""
        private.make_directory((self._root / name).parent)
        held = private.lock(self._root / name)
        try:
            yield
        finally:
            private.unlock(held)
