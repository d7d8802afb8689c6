"""The sealed object file proves itself."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from lorchestra.components.projector.objects import envelope
from lorchestra.components.projector.objects.layout import ObjectName

NAME = ObjectName("email", bytes(range(16)), 3)
RULES = '{"key":["a"],"text":["record"],"title":"say \\"record\\":"}'


def sealed(record: bytes = b'{"a": 1, "record":{"b":2}}') -> envelope.Sealed:
    return envelope.seal(NAME, "iglu:a/b/c/1-0-0", RULES, "email-20251101.jsonl", 7, bytes(16), record)


def test_it_is_one_json_object_that_a_person_can_read() -> None:
    said = json.loads(sealed().content)
    assert list(said) == [
        "format", "type", "id", "revision", "schema", "rules", "file", "line", "fingerprint", "record", "sha256",
    ]  # fmt: skip
    assert said["id"] == "000102030405060708090A0B0C0D0E0F"
    assert said["record"] == {"a": 1, "record": {"b": 2}}
    assert said["sha256"] == sealed().sha256.hex()


def test_what_goes_in_comes_out_byte_for_byte() -> None:
    found = envelope.unseal(sealed().content)
    assert found is not None
    assert found.record == b'{"a": 1, "record":{"b":2}}'
    assert (found.name, found.line, found.file) == (NAME, 7, "email-20251101.jsonl")
    assert found.rules == json.loads(RULES)
    assert found.sha256 == sealed().sha256


@given(st.data())
def test_any_flipped_bit_is_found(data: st.DataObject) -> None:
    content = bytearray(sealed().content)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    assert envelope.unseal(bytes(content)) is None


@given(st.integers(0, len(sealed().content) - 1))
def test_any_torn_file_is_found(length: int) -> None:
    assert envelope.unseal(sealed().content[:length]) is None


def test_a_sealed_file_of_another_format_is_no_object() -> None:
    import hashlib

    for head in (b'{"format":"other","record":{}', b'{"format":"lorchestra.object/1","record":{}', b"[]", b""):
        tail = b',"sha256":"' + hashlib.sha256(head).hexdigest().encode() + b'"}\n'
        assert envelope.unseal(head + tail) is None
