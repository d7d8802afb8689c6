"""An object's file: the canonical line and its metadata, with a checksum of its own.

One JSON object on one line. Its last member is the SHA-256 of every byte before it, so that a file can be
verified without a database and `repair` can trust it:

    {"format":"lorchestra.object/1","type":"email","id":"AABC…","revision":1,"schema":"iglu:…",
     "rules":{"key":["message_id"],…},"file":"email-20251112.jsonl","line":7,"fingerprint":"…","record":{…},"sha256":"…"}
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import orjson

from lorchestra.components.projector.objects.layout import ID_BYTES, ObjectName

FORMAT = "lorchestra.object/1"
_SEAL = b',"sha256":"'
_TAIL = len(_SEAL) + 64 + len(b'"}\n')
_RECORD = b',"record":'


class Sealed(NamedTuple):
    """The bytes of an object's file and the digest that seals them (32 bytes)."""

    content: bytes
    sha256: bytes


class Envelope(NamedTuple):
    """An object's file, read back. `record` is the bytes of the canonical line."""

    name: ObjectName
    schema: str
    rules: dict[str, Any]
    file: str
    line: int
    fingerprint: bytes
    record: bytes
    sha256: bytes

    def parsed(self) -> dict[str, Any]:
        """The record as a dict."""
        value: dict[str, Any] = orjson.loads(self.record)
        return value


def seal(name: ObjectName, schema: str, rules: str, file: str, line: int, fingerprint: bytes, record: bytes) -> Sealed:
    """The content of an object's file.

    `rules` and `record` are JSON as it is; every other text obeys a grammar without quotes.
    """
    head = (
        f'{{"format":"{FORMAT}","type":"{name.type}","id":"{name.id.hex().upper()}","revision":{name.revision},'
        f'"schema":"{schema}","rules":{rules},"file":"{file}","line":{line},'
        f'"fingerprint":"{fingerprint.hex()}"'
    )
    sealed = b"".join((head.encode(), _RECORD, record))
    digest = hashlib.sha256(sealed)
    return Sealed(b"".join((sealed, _SEAL, digest.hexdigest().encode("ascii"), b'"}\n')), digest.digest())


def unseal(content: bytes) -> Envelope | None:
    """What an object's file says, None where its seal is broken or it is no object."""
    sealed, tail = content[:-_TAIL], content[-_TAIL:]
    digest = hashlib.sha256(sealed)
    if tail != b"".join((_SEAL, digest.hexdigest().encode("ascii"), b'"}\n')):
        return None
    head, found, record = sealed.partition(_RECORD)
    try:
        fields = orjson.loads(head + b"}")
        if not found or fields["format"] != FORMAT:
            return None
        identity, fingerprint = bytes.fromhex(fields["id"]), bytes.fromhex(fields["fingerprint"])
        name = ObjectName(fields["type"], identity, fields["revision"])
        if len(identity) != ID_BYTES or not isinstance(fields["rules"], dict) or record[:1] + record[-1:] != b"{}":
            return None
        return Envelope(
            name, fields["schema"], fields["rules"], fields["file"], fields["line"], fingerprint, record,
            digest.digest(),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None
