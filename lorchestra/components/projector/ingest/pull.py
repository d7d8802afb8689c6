"""The protocol by which canonical files and batches of a stream enter the store. Read it in one sitting.

Under the lock, for a group of files (one big one, or small ones together):

1. read and validate the records; a file that cannot be read leaves the group;
2. make the journal durable: it names every object file that is about to be written;
3. write the object files, each under a temporary name, then renamed; never over an existing one;
4. write rows, full text and holdings in one transaction;
5. syncfs: every object is on the disk;
6. COMMIT: from here on the group is in the store, before it nothing of it is;
7. drop the journal.

Killed before 6, the next run removes what the journal names; killed after it, nothing is left to do. The registry files
are derived from the database afterwards.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import apsw

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.components.projector.config import Config
from lorchestra.components.projector.database import metadata_db, registry
from lorchestra.components.projector.database.current import update_states
from lorchestra.components.projector.ingest import holdings, journal, rejects_files
from lorchestra.components.projector.ingest.journal import Journal
from lorchestra.components.projector.ingest.rejects_files import Rejects
from lorchestra.components.projector.ingest.writer import Item, Writer
from lorchestra.components.projector.objects import object_files
from lorchestra.components.projector.objects.layout import Store
from lorchestra.components.projector.record import canonical
from lorchestra.components.projector.record.canonical import Reject, Source
from lorchestra.components.projector.record.validators import Validators
from lorchestra.records import names

GROUP_BYTES = 16 * 1024 * 1024
CHUNK_RECORDS = 20_000
CHUNK_BYTES = 48 * 1024 * 1024
_OF_ONE_FILE = {Code.NOT_JSONL, Code.SCHEMA_MISSING, Code.SCHEMA_INVALID, Code.INPUT_CHANGED, Code.MISSING}


class FileFailure(NamedTuple):
    """A canonical file that did not enter the store; what it held before stays."""

    file: str
    failure: Failure

    @property
    def type(self) -> str:
        return self.file.rpartition("-")[0]


class Pull:
    """One run over canonical files. The caller holds the lock and has recovered the store."""

    def __init__(
        self,
        store: Store,
        connection: apsw.Connection,
        validators: Validators,
        config: Config,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        """`progress` is called for each record that was read with the number so far, and of those rejected."""
        self.counts: Counter[str] = Counter()
        self.rejected_by: Counter[str] = Counter()
        self.failures: list[FileFailure] = []
        self.store, self.connection, self.validators, self.config = store, connection, validators, config
        self.progress, self.records, self.rejected = progress, 0, 0
        self.known = holdings.Known(connection, validators, config)

    def run(self, sources: Sequence[Source]) -> None:
        """Bring these files in, oldest first. Raises Failure where no further file can succeed (no space, ...)."""
        changed = [source for source in sources if not self.known.is_unchanged(source)]
        self.counts.update(files=len(sources), files_unchanged=len(sources) - len(changed))
        for group in _groups(sorted(changed, key=lambda source: (source.order, source.type))):
            failure = self._run_group(group)
            if failure and len(group) == 1 and failure.code in _OF_ONE_FILE:
                self.failures.append(FileFailure(group[0].name, failure))
            elif failure:
                raise failure

    def count(self, *, rejected: bool) -> None:
        """Note that a record was read."""
        if self.progress:
            self.records, self.rejected = self.records + 1, self.rejected + rejected
            self.progress(self.records, self.rejected)

    def mark_missing(self, present: Collection[str], kinds: Collection[str], *, prune: bool) -> None:
        """Count the files of these types (of all, when none is named) that no longer exist.

        Their records stay as they are; with `prune`, what no other file holds is retired.
        """
        query = """SELECT file.no, file.name, type.name FROM file JOIN type ON type.no = file.type
                   WHERE file.name NOT GLOB ?"""
        rows = self.connection.execute(query, (names.BATCHES,))
        missing = {no: name for no, name, kind in rows if name not in present and (not kinds or kind in kinds)}
        gone = sorted(missing)
        if not gone:
            return
        for name in missing.values() if prune else ():
            rejects_files.stage(self.store, name, b"")
        with self.connection:
            registry.outdate(self.connection)
            if prune:
                self.counts.update(holdings.forget(self.store, self.connection, gone))
            else:
                holdings.mark_missing(self.connection, gone)
        for name in missing.values() if prune else ():
            rejects_files.commit(self.store, name)
        self.counts["files_pruned" if prune else "files_missing"] += len(gone)

    def _run_group(self, group: Sequence[Source]) -> Failure | None:
        try:
            with metadata_db.guarded(self.store, self.connection):
                _Transaction(self).run(group)
        except Failure as failure:
            return failure
        except OSError as error:
            return from_os_error(error)
        return None


class _Transaction:
    """A group of files on its way in: all of it, or nothing."""

    def __init__(self, pull: Pull) -> None:
        self._pull, self._store, self._connection = pull, pull.store, pull.connection
        self._journal = Journal(pull.store)
        self._counts: Counter[str] = Counter()
        self._rejected_by: Counter[str] = Counter()
        self._failures: list[FileFailure] = []
        self._rejects: list[Rejects] = []
        self._batch: list[Item] = []
        self._bytes = 0

    def run(self, group: Sequence[Source]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._writer = Writer(self._store, self._connection, self._journal, self._pull.config)
            for source in group:
                self._bring(source, alone=len(group) == 1)
            self._commit()
        except BaseException:
            self._undo()
            raise
        self._pull.counts.update(self._counts)
        self._pull.rejected_by.update(self._rejected_by)
        self._pull.failures.extend(self._failures)

    def _bring(self, source: Source, *, alone: bool) -> None:
        """Bring one file in. One that cannot be read leaves the group, unless parts of it were written already."""
        mark = len(self._batch)
        self._rejects.append(Rejects(self._store, source))
        failure: Failure | None = None
        try:
            digest = source.digest()
            if self._pull.known.is_same(source, digest):
                holdings.touch(self._connection, source)
                self._counts["files_unchanged"] += 1
                self._rejects.pop()
            else:
                self._read(source, digest, alone=alone)
        except Failure as caught:
            failure = caught
        except FileNotFoundError:
            failure = Failure(Code.INPUT_CHANGED, f"{source.name}: was removed while it was read")
        if failure and (alone or failure.code not in _OF_ONE_FILE):
            raise failure
        if failure:
            del self._batch[mark:]
            self._rejects.pop().discard()
            self._failures.append(FileFailure(source.name, failure))

    def _read(self, source: Source, digest: bytes, *, alone: bool) -> None:
        schemas: set[str] = set()
        rules: Counter[str] = Counter()
        records = 0
        for item in canonical.read(source, self._pull.validators):
            records += 1
            self._pull.count(rejected=isinstance(item, Reject))
            if isinstance(item, Reject):
                self._rejects[-1].add(item)
                rules[f"index:{item.violation.rule}"] += 1
                schemas.update([item.schema] if item.schema else [])
                continue
            schemas.add(item.reading.uri)
            self._batch.append(Item(source, item))
            self._bytes += len(item.raw)
            if alone and (len(self._batch) >= CHUNK_RECORDS or self._bytes >= CHUNK_BYTES):
                self._write()
        if len(self._batch) >= CHUNK_RECORDS:
            self._write()
        self._writer.begin(source)
        for uri in sorted(schemas):  # a view has its columns even if every record was purged or rejected
            self._writer.tables.register(source.type, self._pull.validators.get(uri))
        said = holdings.settings(self._pull.config, source.type, schemas, self._pull.validators)
        holdings.save(self._connection, self._writer.tables, source, digest, said, records, rules.total())
        self._counts.update(records_in=records, rejected=rules.total())
        self._rejected_by.update(rules)

    def _write(self) -> None:
        self._writer.write(self._batch)
        self._batch, self._bytes = [], 0

    def _commit(self) -> None:
        self._write()
        for rejects in self._rejects:
            rejects.stage(self._connection)
        self._writer.finish()
        self._counts.update(update_states(self._connection, self._writer.touched))
        self._counts.update(self._writer.counts)
        registry.outdate(self._connection)
        if self._writer.wrote or self._rejected_by:
            object_files.sync(self._store)
        self._connection.execute("COMMIT")
        with contextlib.suppress(OSError):  # the commit counts; the next writer finishes this
            for rejects in self._rejects:
                rejects.commit()
        self._journal.drop()

    def _undo(self) -> None:
        self._journal.abandon()
        for rejects in self._rejects:
            rejects.discard()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        rejects_files.recover(self._store, self._connection)
        journal.recover(self._store, self._connection)


def _groups(sources: Sequence[Source]) -> Iterator[list[Source]]:
    group: list[Source] = []
    size = 0
    for source in sources:
        if group and size + source.signature.size > GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(source)
        size += source.signature.size
    if group:
        yield group
