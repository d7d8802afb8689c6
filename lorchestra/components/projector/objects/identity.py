"""Which object a record is, and whether it changed.

Id: the first 16 bytes of SHA-256 over the type, a zero byte and the JSON array of the key's values. 128 bits do not
collide by chance: 52, as in a name of 13 digits, would with one percent at ten million objects.
Fingerprint: the first 16 bytes of SHA-256 over the record as JSON with sorted keys, without what is volatile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from lorchestra.components.projector.objects.layout import ID_BYTES


def fingerprint(record: Mapping[str, Any], volatile: Collection[str]) -> bytes:
    """The fingerprint of a record (16 bytes). Raises TypeError where it is nested too deeply to be written again.

    Order of keys and white space do not count. Numbers are what JSON readers make of them: 1 and 1.0 differ.
    """
    kept = {key: value for key, value in record.items() if key not in volatile}
    return hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).digest()[:ID_BYTES]


def object_id(kind: str, record: Mapping[str, Any], key: Sequence[str], content: bytes) -> bytes:
    """The id of a record (16 bytes). Without a key, or where a field of it is missing or empty, the content is the key.

    `content` is the record's fingerprint.
    """
    values = [record.get(field) for field in key]
    if not values or any(value is None or value in ("", [], {}) for value in values):
        return hashlib.sha256(b"\0\0".join((kind.encode(), content))).digest()[:ID_BYTES]
    named = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(b"\0".join((kind.encode(), named))).digest()[:ID_BYTES]


def volatile_digest(record: Mapping[str, Any], volatile: Iterable[str]) -> bytes | None:
    """A digest (8 bytes) of a record's volatile fields; None if it has none."""
    values = {name: record[name] for name in volatile if name in record}
    if not values:
        return None
    return hashlib.blake2b(orjson.dumps(values, option=orjson.OPT_SORT_KEYS), digest_size=8).digest()
