"""The bytes that were checked are the bytes that run; what was tampered with does not."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.components.canonizer.harness import NOTE, RAW, Registry, can, rows

SPEC = '{\n  "id": id\n}\n'
LINE = b'{"id":"a"}\n'


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


EDITS: list[tuple[bytes, bytes]] = [(b"id", b"no"), (b"\n", b"\r\n"), (b"}", b"} ")]


@pytest.mark.parametrize("dialect", ["flat", "versioned"])
@pytest.mark.parametrize("edit", EDITS)
def test_one_changed_byte_is_refused_naming_both_digests(
    dialect: str, edit: tuple[bytes, bytes], registry: Registry
) -> None:
    meta = registry.flat(SPEC) if dialect == "flat" else registry.versioned(SPEC)
    assert rows(can("transform", "run", "--meta", meta, stdin=LINE).stdout) == [{"id": "a"}]
    spec = meta.with_name(meta.name.replace(".meta.yaml", ".jsonata"))
    spec.write_bytes(spec.read_bytes().replace(*edit))
    done = can("transform", "run", "--meta", meta, stdin=LINE)
    assert (done.returncode, done.stdout) == (4, b"")
    expected, found = (hashlib.sha256(content).hexdigest() for content in (SPEC.encode(), spec.read_bytes()))
    assert f"expected sha256 {expected[:12]}, found {found[:12]}" in done.stderr.decode()
    assert "can registry checksum --write" in done.stderr.decode()


@pytest.mark.parametrize("part", [".jsonata", ".meta.yaml"])
def test_a_link_in_place_of_a_file_is_refused(part: str, registry: Registry, tmp_path: Path) -> None:
    meta = registry.flat(SPEC)
    path = meta.with_name("raw_to_note_v1" + part)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    done = can("transform", "run", "--meta", meta, stdin=LINE)
    assert done.returncode == 4
    assert b"is a link; a registry must contain" in done.stderr


def test_a_fifo_in_place_of_a_spec_does_not_hang(registry: Registry) -> None:
    meta = registry.flat(SPEC)
    spec = meta.with_name("raw_to_note_v1.jsonata")
    spec.unlink()
    os.mkfifo(spec)
    done = can("transform", "run", "--meta", meta, stdin=LINE, timeout=10)
    assert done.returncode == 4
    assert b"not a regular file" in done.stderr


def test_a_missing_spec_is_named(registry: Registry) -> None:
    meta = registry.flat(SPEC, spec_path="gone.jsonata")
    done = can("transform", "run", "--meta", meta, stdin=LINE)
    assert (done.returncode, b"gone.jsonata: no such file" in done.stderr) == (4, True)


def test_a_transform_without_a_checksum_is_refused(registry: Registry) -> None:
    done = can("transform", "run", "--meta", registry.flat(SPEC, checksum=None), stdin=LINE)
    assert (done.returncode, b"no checksum in the metadata" in done.stderr) == (4, True)


@pytest.mark.parametrize("spec", ["{", "1) + (2", '{"a": }', "", '"open'])
def test_an_invalid_spec_is_refused_even_if_the_prelude_would_complete_it(spec: str, registry: Registry) -> None:
    for source in (spec, f"{spec} /* $isoDate */"):
        done = can("transform", "run", "--meta", registry.flat(source), stdin=LINE)
        assert done.returncode == 4, source
        assert b"not a JSONata expression" in done.stderr


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"version": "1.0"}, "`version` must be three numbers"),
        ({"version": 1}, "`version` must be text in quotes"),
        ({"from_schema": "gmail"}, "`from_schema` must be the name of a JSON Schema"),
        ({"from_schema": None}, "`from_schema` must be text"),
        ({"input_schema": RAW}, "the file must have `from_schema`, or `input_schema`, but not both"),
        ({"engine": "perl"}, "engine: unknown engine"),
        ({"spec_path": "../other.jsonata"}, "`spec_path` must be a path below"),
        ({"spec_path": "/etc/passwd"}, "`spec_path` must be a path below"),
        ({"checksum": {"jsonata_sha256": "abc"}}, "`jsonata_sha256` must be 64 hexadecimal digits"),
        ({"checksum": {"algorithm": "md5", "value": "0" * 64}}, "`algorithm` must be one of sha256"),
        ({"checksum": "abc"}, "`checksum` must be a mapping"),
        ({"compat": {"from_schema_range": "1-*"}}, "`from_schema_range` must be a range of schema versions"),
        ({"compat": {"from_schema_range": "2-0-*"}}, "`from_schema_range` must include 1-0-0"),
        ({"id": "../x"}, "`id` must be a transform's name"),
    ],
)
def test_errors_in_metadata_are_reported_with_their_location(
    fields: dict[str, Any], told: str, registry: Registry
) -> None:
    done = can("transform", "run", "--meta", registry.flat(SPEC, **fields), stdin=LINE)
    assert done.returncode == 2
    assert told in done.stderr.decode()
    assert ".meta.yaml:1:" in done.stderr.decode()


def test_all_errors_in_a_file_are_reported_at_once(registry: Registry) -> None:
    done = can("transform", "show", "--meta", registry.flat(SPEC, version="x", spec_path="/x", from_schema="x"))
    assert done.stderr.decode().count("must be") == 3


def test_names_lead_to_versions(registry: Registry) -> None:
    for version in ("1.0.0", "1.2.0", "1.10.0"):
        registry.versioned(f'{{"v": "{version}"}}', version=version)

    def run(name: str) -> tuple[int, bytes]:
        done = can("transform", "run", name, "--registry", registry.root, stdin=LINE)
        return done.returncode, done.stdout

    assert run("note/raw_to_note@1.2.0") == (0, b'{"v":"1.2.0"}\n')
    assert run("note/raw_to_note@latest") == run("note/raw_to_note") == (0, b'{"v":"1.10.0"}\n')
    assert run("note/raw_to_note@9.0.0")[0] == 4
    assert run("note/raw_to_note@nine")[0] == 2


def test_transforms_may_lie_below_a_directory_of_their_own(registry: Registry, tmp_path: Path) -> None:
    inner = Registry(registry.root / "transforms")
    inner.flat(SPEC)
    (inner.root / "schemas").rename(registry.root / "schemas")
    done = can("transform", "run", "note/raw_to_note_v1", "--registry", registry.root, stdin=LINE)
    assert rows(done.stdout) == [{"id": "a"}]


def test_list_and_show(registry: Registry) -> None:
    registry.flat(SPEC, compat={"from_schema_range": "1-0-*"}, status="draft")
    meta = registry.versioned('{"at": $isoDate(at)}')
    meta.with_name("spec.jsonata").write_text("{}")
    listed = can("transform", "list", "--registry", registry.root)
    assert [line.split()[:2] for line in listed.stdout.decode().splitlines()] == [
        ["note/raw_to_note@1.0.0", "1.0.0"],
        ["note/raw_to_note_v1", "1.0.0"],
    ]
    assert "its checksum does not match" in listed.stdout.decode().splitlines()[0]
    shown = can("transform", "show", "note/raw_to_note_v1", "--registry", registry.root).stdout.decode()
    assert f"from            {RAW}" in shown
    assert "accepts         1-0-*" in shown
    assert "matches the metadata" in shown
    assert can("transform", "show", "--meta", meta, "--engine", "perl").returncode == 2
    assert can("transform", "list", "--registry", registry.root / "none").returncode == 2
    meta.write_text("version: [")
    assert can("transform", "list", "--registry", registry.root).returncode == 2


class TestSchemas:
    """References lead into the registry or nowhere."""

    @pytest.mark.parametrize("suffix", ["", ".json"])
    @pytest.mark.parametrize("reference", ["iglu:com.example/part/jsonschema/1-0-0", "../../part/jsonschema/1-0-0",
                                           "../../part/jsonschema/1-0-0.json"])  # fmt: skip
    def test_references_between_schemas_resolve(self, reference: str, suffix: str, registry: Registry) -> None:
        meta = registry.flat(SPEC)
        registry.schema(RAW, {"properties": {"id": {"$ref": f"{reference}#/definitions/id"}}})
        registry.schema("iglu:com.example/part/jsonschema/1-0-0", {"definitions": {"id": {"type": "string"}}}, suffix)
        done = can("transform", "run", "--meta", meta, stdin=LINE + b'{"id":5}\n')
        assert rows(done.stdout) == [{"id": "a"}]
        assert b"1 schema_in:type" in done.stderr

    @pytest.mark.parametrize(
        "reference",
        ["http://127.0.0.1:9/x.json", "https://example.com/x.json", "file:///etc/passwd", "other.json",
         "iglu:com.example/none/jsonschema/1-0-0"],
    )  # fmt: skip
    def test_nothing_is_fetched(self, reference: str, registry: Registry) -> None:
        meta = registry.flat(SPEC)
        registry.schema(NOTE, {"properties": {"id": {"$ref": reference}}})
        done = can("transform", "run", "--meta", meta, stdin=LINE)
        assert done.returncode == 4
        assert b"schemas are never downloaded" in done.stderr

    def test_a_self_describing_schema_must_match_its_path(self, registry: Registry) -> None:
        meta = registry.flat(SPEC)
        block = {"vendor": "com.example", "name": "raw", "format": "jsonschema", "version": "1-0-0"}
        snowplow = "http://iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/1-0-0#"
        registry.schema(RAW, {"$schema": snowplow, "self": block, "type": "object", "required": ["id"]})
        done = can("transform", "run", "--meta", meta, stdin=LINE + b"{}\n")
        assert rows(done.stdout) == [{"id": "a"}]
        registry.schema(RAW, {"$schema": snowplow, "self": {**block, "version": "1-0-1"}})
        refused = can("transform", "run", "--meta", meta, stdin=LINE)
        assert (refused.returncode, b"the `self` block does not match the path" in refused.stderr) == (4, True)

    def test_an_unresolvable_reference_is_reported(self, registry: Registry) -> None:
        meta = registry.flat(SPEC)
        registry.schema(RAW, {"properties": {"id": {"$ref": "#/definitions/none"}}})
        done = can("transform", "run", "--meta", meta, stdin=LINE)
        assert (done.returncode, b"a $ref cannot be resolved" in done.stderr) == (4, True)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_draft_is_known_by_either_of_its_names(self, scheme: str, registry: Registry) -> None:
        meta = registry.flat(SPEC)
        draft = f"{scheme}://json-schema.org/draft-04/schema#"
        registry.schema(RAW, {"$schema": draft, "properties": {"n": {"minimum": 1, "exclusiveMinimum": True}}})
        done = can("transform", "run", "--meta", meta, stdin=b'{"id":"a","n":2}\n{"id":"b","n":1}\n')
        assert [row["id"] for row in rows(done.stdout)] == ["a"]
        assert b"schema_" not in can("registry", "validate", "--registry", registry.root).stdout

    @pytest.mark.parametrize(
        "document", ['{"title": "a", "title": "b"}', "[]", "{", '{"type": "no such type"}', '{"required": 5}']
    )
    def test_an_invalid_schema_is_refused(self, document: str, registry: Registry) -> None:
        meta = registry.flat(SPEC)
        registry.schema(RAW).write_text(document)
        assert can("transform", "run", "--meta", meta, stdin=LINE).returncode == 4

    def test_a_missing_directory_of_schemas_is_reported(self, registry: Registry, tmp_path: Path) -> None:
        meta = registry.flat(SPEC)
        (registry.root / "schemas").rename(tmp_path / "moved")
        done = can("transform", "run", "--meta", meta, stdin=LINE)
        assert (done.returncode, b"with --schemas" in done.stderr) == (4, True)
        assert can("transform", "run", "--meta", meta, "--schemas", tmp_path / "moved", stdin=LINE).returncode == 0

    def test_validate_run_names_rules_and_lines_alone(self, registry: Registry, tmp_path: Path) -> None:
        registry.schema(RAW, {"properties": {"id": {"type": "string"}}, "additionalProperties": False})
        data = tmp_path / "data.jsonl"
        data.write_bytes(b'{"id":"a"}\n{"id":5}\n{"secret":1}\n{"id":1e400}\n')
        schemas = registry.root / "schemas"
        done = can("validate", "run", "--schema", RAW, "--schemas", schemas, "--data", data)
        assert done.returncode == 7
        assert done.stdout.decode().splitlines() == [
            "data.jsonl:2: type at /properties/id/type",
            "data.jsonl:3: additionalProperties at /additionalProperties",
            "data.jsonl:4: number_range",
        ]
        assert b"4 records, 3 invalid" in done.stderr
        good = can("validate", "run", "--schema", schemas / RAW.removeprefix("iglu:"), stdin=b'{"id":"a"}\n')
        assert (good.returncode, good.stdout) == (0, b"")
        assert can("validate", "run", "--schema", RAW, "--schemas", schemas, stdin=b"{\n").returncode == 3
        assert can("validate", "run", "--schema", "iglu:x", stdin=b"").returncode == 2
        assert can("validate", "run", "--schema", tmp_path / "none.json", stdin=b"").returncode == 4
        assert can("validate", "run", "--schema", data, stdin=b"").returncode == 4
