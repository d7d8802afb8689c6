"""Schemas by name: the grammar of names, and the schema files of a registry."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorchestra.base.errors import Code, Failure
from lorchestra.records import iglu

URI = "iglu:org.canonical/email/jsonschema/1-0-0"


def test_a_name_is_parsed_and_printed_unchanged() -> None:
    key = iglu.parse(URI)
    assert key == ("org.canonical", "email", "jsonschema", 1, 0, 0)
    assert (str(key), key.version if key else "") == (URI, "1-0-0")


@pytest.mark.parametrize(
    "text",
    [
        "", "email", "iglu:", "iglu:a/b/c", "iglu:a/b/c/1-0", "iglu:a/b/c/0-0-0", "iglu:a/b/c/01-0-0",
        "iglu:../b/c/1-0-0", "iglu:a/../c/1-0-0", "iglu:.a/b/c/1-0-0", "iglu:a..b/b/c/1-0-0", "iglu:a/b/c/1-0-0\n",
        "iglu:a/b/c/d/1-0-0", "iglu:a/b/c/1-0-0.json", "iglu:a/b/c/1-0-٣", "iglu:a/b\0/c/1-0-0", "http://a/b/c/1-0-0",
        "iglu:a/b/c/1-0-9999999",
    ],
)  # fmt: skip
def test_other_text_is_no_schema_name(text: str) -> None:
    assert iglu.parse(text) is None


@settings(deadline=None, max_examples=300)
@given(st.from_regex(r"iglu:[a-z./\\-]{1,9}/[a-z./-]{1,5}/[a-z./]{1,5}/[0-9]-[0-9]-[0-9]", fullmatch=True))
def test_no_name_refers_to_a_file_outside_the_registry(text: str) -> None:
    if key := iglu.parse(text):
        assert str(key) == text
        assert not {"", ".", ".."} & set(Path(key.vendor, key.name, key.format).parts)
        assert len(Path(key.vendor, key.name, key.format).parts) == 3


def test_versions_compare_as_numbers() -> None:
    keys = [iglu.parse(f"iglu:v/n/jsonschema/{version}") for version in ("1-0-10", "1-0-9", "2-0-0", "1-10-0")]
    assert [key.version for key in sorted(key for key in keys if key)] == ["1-0-9", "1-0-10", "1-10-0", "2-0-0"]


def put(root: Path, content: bytes, suffix: str = "") -> Path:
    path = root / "org.canonical" / "email" / "jsonschema" / f"1-0-0{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_a_schema_is_read_once_with_the_digest_of_its_bytes(tmp_path: Path, suffix: str) -> None:
    content = json.dumps({"type": "object"}).encode()
    path = put(tmp_path, content, suffix)
    registry = iglu.SchemaRegistry(tmp_path)
    schema = registry.load(URI)
    assert (schema.document, schema.path, schema.sha256) == (
        {"type": "object"},
        path,
        hashlib.sha256(content).hexdigest(),
    )
    path.write_bytes(b"changed")
    assert registry.load(URI) is schema
    assert registry.loaded() == [schema]


def test_a_schema_without_a_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        iglu.SchemaRegistry(tmp_path).load(URI)
    assert caught.value.code is Code.SCHEMA_MISSING


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b"\xff", b'{"a": 1} x', b"[" * 2000])
def test_an_invalid_schema_is_refused_without_quoting_it(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path, content)
    with pytest.raises(Failure) as caught:
        iglu.SchemaRegistry(tmp_path).load(URI)
    assert (caught.value.code, caught.value.message) == (Code.SCHEMA_INVALID, f"{path}: not a JSON object")
    assert caught.value.__context__ is None


def test_a_link_or_another_kind_of_file_is_no_schema(tmp_path: Path) -> None:
    path = put(tmp_path, b"{}")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert refused(tmp_path).code is Code.SCHEMA_INVALID
    path.unlink()
    os.mkfifo(path)
    assert refused(tmp_path).code is Code.SCHEMA_INVALID
    path.unlink()
    path.mkdir()
    assert refused(tmp_path).code is Code.SCHEMA_MISSING


def refused(root: Path) -> Failure:
    with pytest.raises(Failure) as caught:
        iglu.SchemaRegistry(root).load(URI)
    assert caught.value.__context__ is None
    return caught.value


def test_a_schema_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    put(tmp_path, b'{"a":' * 150 + b"{}" + b"}" * 150)
    assert iglu.SchemaRegistry(tmp_path).load(URI)
    put(tmp_path, b'{"a":' * 900 + b"{}" + b"}" * 900)
    with pytest.raises(Failure, match="nested deeper than 200 levels"):
        iglu.SchemaRegistry(tmp_path).load(URI)


def test_an_invalid_name_is_refused_without_quoting_it(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        iglu.SchemaRegistry(tmp_path).load("Canary7f3a")
    assert caught.value.code is Code.SCHEMA_INVALID
    assert "Canary" not in caught.value.message
