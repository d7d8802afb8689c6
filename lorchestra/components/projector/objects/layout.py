"""The paths of a store and the numbers of its rows. Nothing here accesses the disk.

objects/AA/BC/{type}_{id}.json        the first revision of an object; {id} is 32 hexadecimal digits, AABC...
objects/AA/BC/{type}_{id}.r2.json     its second revision
objects/AA/BC/{type}_{id}.purged      a tombstone: it was purged and must not come back
registry/{type}.json                  what the store holds of a type
rejects/{type}-{date}.jsonl           records that failed their schema, with the reason; also named after a batch
metadata.db                           the index, derived from the objects
journal, purging, lock                the intents of a pull and of a purge under way; the writers' lock
backups/, quarantine/                 databases from before a migration; objects that `repair` found broken
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import NamedTuple

from lorchestra.records import names

ID_BYTES = 16
_SUFFIX = re.compile(r"([0-9A-F]{32})(?:\.r([2-9]|[1-9][0-9]{1,8}))?\.json")
_TYPE_SHIFT, _DAY_SHIFT = 54, 32
MOST_TYPES = 511


class ObjectName(NamedTuple):
    """One revision of one object. `id` is 16 bytes, revisions count from 1."""

    type: str
    id: bytes
    revision: int

    @property
    def file(self) -> str:
        """The file's name inside its directory."""
        revision = "" if self.revision == 1 else f".r{self.revision}"
        return f"{self.type}_{self.id.hex().upper()}{revision}.json"


class Store(NamedTuple):
    """The paths of one store."""

    root: Path

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def database(self) -> Path:
        return self.root / "metadata.db"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def purging(self) -> Path:
        return self.root / "purging"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    def registry(self, kind: str) -> Path:
        """The registry file of a type."""
        return self.root / "registry" / f"{kind}.json"

    def rejects(self, file: str) -> Path:
        """Where the rejected records of a canonical file are."""
        return self.root / "rejects" / file

    def object(self, name: ObjectName) -> Path:
        """The file of one revision of an object."""
        return self.root / object_path(name)

    def tombstone(self, kind: str, identity: bytes) -> Path:
        """The file that says that an object was purged."""
        return self.root / directory(identity) / f"{kind}_{identity.hex().upper()}.purged"


def directory(identity: bytes) -> str:
    """The directory of an id, relative to the store."""
    text = identity.hex().upper()
    return f"objects/{text[:2]}/{text[2:4]}"


def object_path(name: ObjectName) -> str:
    """The path of one revision of an object, relative to the store."""
    return f"{directory(name.id)}/{name.file}"


def parse_object(file: str) -> ObjectName | None:
    """What a file in a leaf directory is called after, None where its name is not an object's."""
    kind, _, rest = file.rpartition("_")
    match = _SUFFIX.fullmatch(rest)
    if match is None or not names.is_type(kind):
        return None
    return ObjectName(kind, bytes.fromhex(match[1]), int(match[2] or 1))


def parse_tombstone(file: str) -> tuple[str, bytes] | None:
    """Type and id of a tombstone's file name, None where it is not one."""
    name = parse_object(file.removesuffix(".purged") + ".json") if file.endswith(".purged") else None
    return (name.type, name.id) if name is not None and name.revision == 1 else None


def row_number(kind: int, day: int, sequence: int) -> int:
    """The row of a revision in the database: type (9 bits), day (22 bits, proleptic ordinal), sequence (32 bits).

    So the rows of a type are adjacent, ordered by day: "newest first", a span of days and a type are ranges of the
    primary key and of the full text alike, and need no index of their own.
    """
    return kind << _TYPE_SHIFT | day << _DAY_SHIFT | sequence


def row_range(kind: int, since: date | None = None, until: date | None = None) -> tuple[int, int]:
    """First and last possible row of a type, from `since` to `until` inclusive."""
    first = row_number(kind, since.toordinal() if since else 0, 0)
    last = row_number(kind, until.toordinal() + 1, 0) if until else row_number(kind + 1, 0, 0)
    return first, last - 1


def row_type(no: int) -> int:
    """The number of the type in a row's number."""
    return no >> _TYPE_SHIFT


def row_day(no: int) -> date:
    """The day in a row's number."""
    return date.fromordinal(no >> _DAY_SHIFT & (1 << (_TYPE_SHIFT - _DAY_SHIFT)) - 1)
