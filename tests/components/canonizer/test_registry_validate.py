"""`can registry validate`: each rule finds its fault, names the file, and a sound registry has none."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.components.canonizer.harness import CAN, NOTE, RAW, Registry, can

SELF = {"vendor": "org.canonical", "name": "note", "format": "jsonschema", "version": "1-0-0"}


def sound(root: Path, **extra: Any) -> Registry:
    """A registry of one transform with a golden test, without findings."""
    registry = Registry(root)
    golden = {"input": "tests/a.input.json", "expect": "tests/a.output.json"}
    registry.flat('{"id": id}', **{"id": "note/raw_to_note_v1", "tests": [golden], **extra})
    tests = root / "note" / "tests"
    tests.mkdir()
    (tests / "a.input.json").write_text('{\n  "id": "one"\n}\n')
    (tests / "a.output.json").write_text('{"id": "one"}')
    return registry


def findings(root: Path) -> list[str]:
    """What the program prints, without the summary: `file:line: rule: message`, the file below the registry."""
    done = can("registry", "validate", "--registry", root)
    *lines, summary = done.stdout.decode().splitlines()
    assert f"findings: {len(lines)}" in summary
    assert done.returncode == (4 if lines else 0)
    assert done.stderr == b""
    return [line.removeprefix(f"{root}/") for line in lines]


def test_a_sound_registry_has_no_findings(tmp_path: Path) -> None:
    sound(tmp_path)
    assert findings(tmp_path) == []


def test_a_versioned_registry_too(tmp_path: Path) -> None:
    meta = Registry(tmp_path / "transforms").versioned('{"id": id}', id="note/raw_to_note")
    (tmp_path / "transforms" / "schemas").rename(tmp_path / "schemas")
    tests = meta.parent / "tests"
    tests.mkdir()
    (tests / "a.input.json").write_text('{"id": "one"}')
    (tests / "a.expected.json").write_text('{"id": "one"}')
    assert findings(tmp_path) == []


def test_transforms_and_schemas_may_lie_beside_each_other(tmp_path: Path) -> None:
    sound(tmp_path / "transforms")
    (tmp_path / "transforms" / "schemas").rename(tmp_path / "schemas")
    data = tmp_path / "data.jsonl"
    data.write_text("{}\n")
    for command in (
        ("registry", "validate"),
        ("registry", "diff", RAW, NOTE),
        ("validate", "run", "--schema", RAW, "--data", "data.jsonl"),
        ("transform", "new", "note/new", "--from", RAW, "--to", NOTE),
        ("transform", "test"),
    ):
        done = subprocess.run([CAN, *command], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)


META = "note/raw_to_note_v1.meta.yaml"
SCHEMA = "schemas/org.canonical/note/jsonschema/1-0-0"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"id": "note/other"}, f"{META}:1: id: the path says note/raw_to_note_v1"),
        ({"checksum": {"jsonata_sha256": "0" * 64}}, f"{META}:1: checksum: expected sha256 000000000000, found"),
        ({"checksum": None}, f"{META}:1: checksum: missing"),
        ({"version": "1"}, f"{META}:1: metadata: `version` must be three numbers in quotes"),
        ({"to_schema": "iglu:org.canonical/none/jsonschema/1-0-0"}, f"{META}: missing: iglu:org.canonical/none"),
        ({"spec_path": "none.jsonata"}, f"{META}: missing: "),
        ({"compat": {"from_schema_range": "any"}}, f"{META}:1: metadata: `from_schema_range` must be"),
        ({"compat": {"from_schema_range": "1-1-*"}}, f"{META}:1: metadata: `from_schema_range` must include"),
        ({"tests": "tests/"}, f"{META}: golden: tests: must be a list"),
        ({"tests": [{"input": "../a.json", "expect": "b.json"}]}, f"{META}: golden: tests.0: must name"),
        ({"tests": [{"input": "tests/a.input.json", "expect": "tests/none.json"}]}, "note/tests/none.json: golden: "),
    ],
)
def test_faults_of_metadata_are_found(fields: dict[str, Any], line: str, tmp_path: Path) -> None:
    sound(tmp_path, **fields)
    found = [finding for finding in findings(tmp_path) if ": orphan: " not in finding]
    assert len(found) == 1
    assert found[0].startswith(line)


def test_metadata_that_is_no_yaml_names_its_line(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / META).write_text("id: note/raw_to_note_v1\nversion: [\n")
    assert findings(tmp_path)[0].startswith(f"{META}:3: metadata: ")


@pytest.mark.parametrize(
    ("spec", "rule"), [("{ 'id': ", "invalid"), ("$error('x')", "golden"), ("{'id': id & '!'}", "golden")]
)
def test_faults_of_a_spec_are_found(spec: str, rule: str, tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / "note" / "raw_to_note_v1.jsonata").write_text(spec)
    can("registry", "checksum", "--registry", tmp_path, "--write")
    (found,) = findings(tmp_path)
    assert f": {rule}: " in found


def test_metadata_of_megabytes_is_not_read(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / META).write_text("".join(f"key{n}: 1\n" for n in range(300_000)))
    assert findings(tmp_path)[0] == f"{META}:1: metadata: larger than 262,144 bytes"


def test_a_golden_test_that_fails_says_where(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / "note" / "tests" / "a.output.json").write_text('{"id": "two"}')
    assert findings(tmp_path) == ['note/tests/a.output.json: golden: /id: expected "two", found "one"']


def test_a_transform_without_golden_tests_and_a_spec_without_metadata_are_found(tmp_path: Path) -> None:
    Registry(tmp_path).flat("$")
    (tmp_path / "note" / "stray.jsonata").write_text("$")
    assert [line.split(": ")[1] for line in findings(tmp_path)] == ["no_golden", "orphan"]


def test_a_link_in_place_of_a_spec_is_found(tmp_path: Path) -> None:
    sound(tmp_path)
    spec = tmp_path / "note" / "raw_to_note_v1.jsonata"
    spec.rename(tmp_path / "elsewhere")
    spec.symlink_to(tmp_path / "elsewhere")
    assert "checksum" in findings(tmp_path)[0]


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ("[1]", "schema_invalid: not a JSON object"),
        ("{", "schema_invalid: not a JSON object"),
        ('{"title": "a", "title": "b"}', "schema_invalid: duplicate key in an object"),
        ({"$ref": "#/none"}, "schema_ref: a $ref cannot be resolved in the registry"),
        ({"type": "text"}, "schema_invalid: $.type: violates `anyOf` of its draft"),
        ({"$schema": "https://example.org/none"}, "schema_invalid: its $schema is not a known draft"),
        ({"$ref": "iglu:org.canonical/none/jsonschema/1-0-0"}, "schema_ref: "),
        ({"$ref": "https://example.org/none.json"}, "schema_ref: "),
        ({"self": {**SELF, "version": "1-0-1"}}, "schema_self: self.version: the path says 1-0-0"),
        ({"self": "note"}, "schema_self: must be an object"),
        ({"properties": 5, "required": 5, "x-key": ["a"]}, "schema_invalid: $.properties: violates `type`"),
        ({"x-key": ["no"], "properties": {}}, "schema_fields: x-key: unknown property no"),
        ({"x-key": ["id"], "properties": {"id": {}}}, "schema_fields: x-key: id is not required"),
        ({"x-time": ["date"], "properties": {"date": {}}}, "schema_fields: x-time: must name properties"),
        ({"x-text": "body", "properties": {"body": {}}}, "schema_fields: x-text: must name properties"),
    ],
)
def test_faults_of_schemas_are_found(document: Any, line: str, tmp_path: Path) -> None:
    sound(tmp_path)
    text = document if isinstance(document, str) else json.dumps(document)
    (tmp_path / SCHEMA).write_text(text)
    assert any(finding.startswith(f"{SCHEMA}: {line}") for finding in findings(tmp_path))


def test_a_self_describing_schema_of_draft_4_is_sound(tmp_path: Path) -> None:
    registry = sound(tmp_path)
    meta_schema = "http://iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/1-0-0#"
    registry.schema(NOTE, {"$schema": meta_schema, "self": SELF, "type": "object"})
    registry.schema(RAW, {"$ref": NOTE})
    assert findings(tmp_path) == []


def test_a_file_that_is_no_schema_is_found_by_its_place(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / "schemas" / "README.md").write_text("About")
    assert findings(tmp_path) == ["schemas/README.md: schema_path: its path is not {vendor}/{name}/{format}/{version}"]


def test_a_schema_in_two_files_is_found(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / f"{SCHEMA}.json").write_text("{}")
    assert findings(tmp_path) == [f"{SCHEMA}.json: schema_path: is never read: 1-0-0 has the same name"]


def test_what_git_and_editors_leave_is_passed_over(tmp_path: Path) -> None:
    sound(tmp_path)
    for name in (".git/a.meta.yaml", ".git/b.jsonata", "note/.#a.meta.yaml", "schemas/.git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("junk")
    assert findings(tmp_path) == []


@pytest.mark.parametrize("name", ["raw to note", "raw--note", "rückruf"])
def test_a_place_that_gives_no_name_is_found(name: str, tmp_path: Path) -> None:
    sound(tmp_path)
    Registry(tmp_path).flat("$", name=f"note/{name}")
    found = findings(tmp_path)
    assert found[0].startswith(f"note/{name}.meta.yaml: id: its path is not a transform's name")


@pytest.mark.parametrize("kind", ["fifo", "socket", "dangling", "loop"])
@pytest.mark.parametrize("file", [META, META.replace(".meta.yaml", ".jsonata"), SCHEMA])
def test_what_is_no_file_is_found(file: str, kind: str, tmp_path: Path) -> None:
    sound(tmp_path)
    path = tmp_path / file
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK)
    else:
        path.symlink_to(path if kind == "loop" else "nowhere")
    assert any(
        "not a regular file" in line or "is a link; a registry must contain" in line for line in findings(tmp_path)
    )


def test_a_name_that_is_not_utf_8_is_found_and_told(tmp_path: Path) -> None:
    sound(tmp_path)
    for suffix in (".meta.yaml", ".jsonata"):
        content = (tmp_path / META.replace(".meta.yaml", suffix)).read_bytes().replace(b"raw_to_note_v1", b"x")
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/note/x\xff" + suffix.encode())).write_bytes(content)
    assert any("not UTF-8" in line for line in findings(tmp_path))
    for command in ("list", "test"):
        done = subprocess.run(
            [CAN, "transform", command, "--registry", tmp_path],
            env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"}, capture_output=True, check=False,
        )  # fmt: skip
        assert b"note/x\\udcff" in done.stdout
        assert b"unexpected" not in done.stderr


@pytest.mark.parametrize(
    ("uri", "wanted", "told"),
    [
        ("1-0-2", "1-0-*", None),
        ("1-0-2", "1-*-*", None),
        ("1-0-2", "1-1-*", "metadata: `from_schema_range` must include 1-0-2, the version of the input schema"),
        ("1-0-3", "1-0-*", "missing: iglu:com.example/raw/jsonschema/1-0-3 is not in"),
        ("1-0-2", 5, "metadata: `from_schema_range` must be text in quotes"),
    ],
)
def test_the_range_of_input_schemas_is_checked(uri: str, wanted: Any, told: str | None, tmp_path: Path) -> None:
    schema = RAW.replace("1-0-0", uri)
    registry = sound(tmp_path, from_schema=schema, compat={"from_schema_range": wanted})
    registry.schema(RAW.replace("1-0-0", "1-0-2"))
    found = findings(tmp_path)
    assert (found == []) if told is None else (len(found) == 1 and told in found[0])


def test_compat_that_is_no_mapping_is_found(tmp_path: Path) -> None:
    sound(tmp_path, compat="1-0-*")
    assert findings(tmp_path)[0].startswith(f"{META}:1: metadata: `compat` must be a mapping")


def test_a_finding_is_one_line_whatever_the_name_of_its_file(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / "note" / "a\n\x1bb.jsonata").write_text("$")
    assert findings(tmp_path) == ["note/a\\n\\x1bb.jsonata: orphan: no metadata refers to this spec"]


def test_a_directory_that_is_no_registry_is_refused(tmp_path: Path) -> None:
    assert can("registry", "validate", "--registry", tmp_path).returncode == 4
    assert can("registry", "validate", "--registry", tmp_path / "none").returncode == 2
