"""The rejected records of one canonical file: kept, private, with the reason."""

from __future__ import annotations

import os
from typing import BinaryIO

from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.record.canonical import Reject, Source
from lorchestra.records import rejects
from lorchestra.storage import private


class Rejects:
    """Written beside its name as the rejects come; published when the file's transaction is about to be committed."""

    def __init__(self, store: Store, source: Source) -> None:
        self._path = store.rejects(source.name)
        self._temporary = private.temporary_name(self._path)
        self._input = source.name
        self._file: BinaryIO | None = None

    def add(self, reject: Reject) -> None:
        """Keep a rejected line."""
        if self._file is None:
            self._file = private.create(self._temporary)
        rule, schema_path = reject.violation
        self._file.write(rejects.line(self._input, reject.line, "index", rule, schema_path, reject.raw))

    def publish(self) -> None:
        """Give the file its name; where nothing was rejected, remove an old one."""
        if self._file is None:
            self._path.unlink(missing_ok=True)
            return
        with self._file as file:
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._temporary, self._path)

    def discard(self) -> None:
        """Leave no trace. After `publish` there is none to leave."""
        if self._file is not None:
            self._file.close()
            self._temporary.unlink(missing_ok=True)
