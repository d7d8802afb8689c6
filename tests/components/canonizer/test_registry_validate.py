"""`can registry validate`: each rule finds its fault, names the file, and a sound registry has none."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.components.canonizer.harness import CAN, NOTE, RAW, Registry, can, needs_jsonatapy

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


def test_transforms_and_schemas_may_be_next_to_each_other(tmp_path: Path) -> None:
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
        ({"tests": "tests/"}, f"{META}:1: golden: tests: must be a list"),
        ({"tests": [{"input": "../a.json", "expect": "b.json"}]}, f"{META}:1: golden: tests.0.input: must be below"),
        ({"tests": [{"input": "tests/a.input.json", "expect": "tests/none.json"}]}, "note/tests/none.json: golden: "),
    ],
)
def test_faults_of_metadata_are_found(fields: dict[str, Any], line: str, tmp_path: Path) -> None:
    sound(tmp_path, **fields)
    found = [finding for finding in findings(tmp_path) if ": orphan: " not in finding and ": unused_" not in finding]
    assert len(found) == 1
    assert found[0].startswith(line)


def test_the_line_of_invalid_yaml_is_reported(tmp_path: Path) -> None:
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


def test_a_failing_golden_test_is_reported_with_its_place(tmp_path: Path) -> None:
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


def test_a_file_with_another_path_than_a_schema_is_found(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / "schemas" / "README.md").write_text("About")
    assert findings(tmp_path) == ["schemas/README.md: schema_path: its path is not {vendor}/{name}/{format}/{version}"]


def test_a_schema_in_two_files_is_found(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / f"{SCHEMA}.json").write_text("{}")
    assert findings(tmp_path) == [f"{SCHEMA}.json: schema_path: is never read: 1-0-0 has the same name"]


def test_hidden_files_are_ignored(tmp_path: Path) -> None:
    sound(tmp_path)
    for name in (".git/a.meta.yaml", ".git/b.jsonata", "note/.#a.meta.yaml", "schemas/.git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("junk")
    assert findings(tmp_path) == []


@pytest.mark.parametrize("name", ["raw to note", "raw--note", "rückruf"])
def test_a_path_that_is_not_a_name_is_found(name: str, tmp_path: Path) -> None:
    sound(tmp_path)
    Registry(tmp_path).flat("$", name=f"note/{name}")
    found = findings(tmp_path)
    assert found[0].startswith(f"note/{name}.meta.yaml: id: its path is not a transform's name")


@pytest.mark.parametrize("kind", ["fifo", "socket", "dangling", "loop"])
@pytest.mark.parametrize("file", [META, META.replace(".meta.yaml", ".jsonata"), SCHEMA])
def test_links_and_special_files_are_found(file: str, kind: str, tmp_path: Path) -> None:
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


def test_a_name_that_is_not_utf_8_is_found(tmp_path: Path) -> None:
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
    for version in ("1-0-1", "1-0-2"):
        registry.schema(RAW.replace("1-0-0", version))
    found = findings(tmp_path)
    assert (found == []) if told is None else (len(found) == 1 and told in found[0])


def test_compat_must_be_a_mapping(tmp_path: Path) -> None:
    sound(tmp_path, compat="1-0-*")
    assert findings(tmp_path)[0].startswith(f"{META}:1: metadata: `compat` must be a mapping")


def test_a_finding_is_one_line_whatever_the_name_of_its_file(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / "note" / "a\n\x1bb.jsonata").write_text("$")
    assert findings(tmp_path) == ["note/a\\n\\x1bb.jsonata: orphan: no metadata refers to this spec"]


def test_a_directory_without_a_registry_is_refused(tmp_path: Path) -> None:
    assert can("registry", "validate", "--registry", tmp_path).returncode == 4
    assert can("registry", "validate", "--registry", tmp_path / "none").returncode == 2


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        (
            '{"id": id,\n "x": missing ? $lenght(id)}',
            "2: name: column 17: $lenght is not defined; did you mean $length?",
        ),
        ('{"id": id,\n "x": missing ? $match(id, /[z-a]/)}', "2: regex: column 28: /[z-a]/ is not"),
        ('{"id": id, "source": $source, "f": $htmlText(none)}', None),
    ],
)
def test_faults_in_branches_that_no_golden_test_reaches_are_found(spec: str, line: str | None, tmp_path: Path) -> None:
    registry = sound(tmp_path)
    golden = {"input": "tests/a.input.json", "expect": "tests/a.output.json"}
    registry.flat(spec, id="note/raw_to_note_v1", tests=[golden])
    found = [finding for finding in findings(tmp_path) if ": golden: " not in finding]
    assert len(found) == bool(line)
    assert line is None or found[0].startswith(f"note/raw_to_note_v1.jsonata:{line}")


def test_a_spec_that_is_not_jsonata_is_found_with_code_token_line_and_column(tmp_path: Path) -> None:
    registry = sound(tmp_path)
    registry.flat('{\n  "id": id,\n  "x": $foo(]\n}')
    assert any(
        "raw_to_note_v1.jsonata:3:13: not a JSONata expression: S0211 at `]`" in line for line in findings(tmp_path)
    )


def test_files_of_golden_tests_that_no_test_uses_are_found(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / "note" / "tests" / "b.input.json").write_text("{}")
    assert strict(tmp_path) == (4, ["note/tests/b.input.json: warning: unused_test: no golden test uses this file"])


def strict(root: Path) -> tuple[int, list[str]]:
    """The status with --strict, and the findings."""
    done = can("registry", "validate", "--registry", root, "--strict")
    return done.returncode, [line.removeprefix(f"{root}/") for line in done.stdout.decode().splitlines()[:-1]]


def test_warnings_fail_only_if_strict(tmp_path: Path) -> None:
    registry = sound(tmp_path)
    registry.schema(NOTE, {"properties": {"at": {"format": "date-time"}}})
    assert can("registry", "validate", "--registry", tmp_path).returncode == 0
    status, (line,) = strict(tmp_path)
    assert (status, line) == (
        4,
        f"{SCHEMA}: warning: schema_format: /properties/at/format: has no effect: "
        "this draft does not check formats; use a `pattern`",
    )


def test_findings_as_json(tmp_path: Path) -> None:
    registry = sound(tmp_path)
    registry.schema(NOTE, {"propertes": {}, "colour": 1})
    done = can("registry", "validate", "--registry", tmp_path, "--format", "json", "--severity", "info")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {
            "file": str(tmp_path / SCHEMA),
            "line": 0,
            "severity": severity,
            "rule": "schema_keyword",
            "message": message,
        }
        for severity, message in (
            ("error", "/propertes: unknown keyword; did you mean `properties`?"),
            ("info", "/colour: unknown keyword: it has no effect"),
        )
    ]
    assert b"findings: 2" in done.stderr


@needs_jsonatapy
def test_a_golden_test_that_another_engine_fails_is_a_warning(tmp_path: Path) -> None:
    registry = sound(tmp_path)
    golden = {"input": "tests/a.input.json", "expect": "tests/a.output.json"}
    registry.flat('{"id": id, "list": (a[] ~> $map(function($i){$i.b}))[]}', tests=[golden])
    (tmp_path / "note" / "tests" / "a.input.json").write_text('{"id": "one", "a": [{"b": 1}]}')
    (tmp_path / "note" / "tests" / "a.output.json").write_text('{"id": "one", "list": [1]}')
    assert strict(tmp_path) == (
        4,
        ["note/tests/a.output.json: warning: engine: jsonatapy: /list: expected [1], found 1"],
    )


DASHES = {"type": "object", "additionalProperties": False, "properties": {"id": {"type": "string"}}, "required": ["id"]}


@pytest.mark.parametrize(
    ("versions", "line"),
    [
        ({"1-0-0": DASHES, "1-0-1": {**DASHES, "description": "x"}}, None),
        ({"1-0-0": DASHES, "2-0-0": {**DASHES, "properties": {"id": {"type": "integer"}}}}, None),
        (
            {"1-0-0": DASHES, "1-0-2": DASHES},
            "1-0-2: warning: schema_version: follows 1-0-0, but versions between them",
        ),
        (
            {"1-0-0": DASHES, "1-0-1": {**DASHES, "properties": {"id": {"type": "integer"}}}},
            "1-0-1: schema_version: the change from 1-0-0 is a model: its version is 2-0-0",
        ),
        ({"1-0-0": DASHES, "1-0-1": {**DASHES, "anyOf": [{}]}}, None),  # maybe a revision, which nothing shows
        ({"1-0-0": {"enum": ["a"]}, "1-0-1": {"type": "string", "enum": ["a", "b"]}}, None),
        (
            {"1-0-0": DASHES, "1-0-1": {**DASHES, "properties": {"id": {"type": "string", "maxLength": 9}}}},
            "1-0-1: warning: schema_version: the change from 1-0-0 is a revision: its version is 1-1-0",
        ),
    ],
)
def test_version_gaps_and_understated_changes_are_found(
    versions: dict[str, Any], line: str | None, tmp_path: Path
) -> None:
    registry = Registry(tmp_path)
    for version, document in versions.items():
        registry.schema(f"iglu:com.example/thing/jsonschema/{version}", document)
    _, found = strict(tmp_path)
    assert len(found) == bool(line)
    assert line is None or found[0].startswith(f"schemas/com.example/thing/jsonschema/{line}")


def test_schemas_in_other_formats_are_counted_and_ignored(tmp_path: Path) -> None:
    registry = sound(tmp_path)
    registry.schema("iglu:com.example/event/avro/1-0-0", {"type": "record"})
    done = can("registry", "validate", "--registry", tmp_path, "--strict")
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 1)
    assert b"ignored files in other schema formats: 1" in done.stdout


def test_schemas_in_both_usual_directories_are_found_by_every_command(tmp_path: Path) -> None:
    registry = sound(tmp_path / "transforms")
    registry.schema(RAW, {"$ref": NOTE})
    (tmp_path / "schemas").mkdir()
    (tmp_path / "transforms" / "schemas" / "org.canonical").rename(tmp_path / "schemas" / "org.canonical")
    for where in (tmp_path, tmp_path / "transforms"):
        assert findings(where) == []
        for command in (["transform", "test"], ["registry", "diff", RAW, NOTE]):
            assert can(*command, "--registry", where).returncode == 0, command
    meta = tmp_path / "transforms" / META
    assert can("transform", "run", "--meta", meta, stdin=b'{"id":"a"}').stdout == b'{"id":"a"}\n'


def test_the_nearest_of_two_schemas_counts_and_the_other_is_found(tmp_path: Path) -> None:
    sound(tmp_path / "transforms")
    other = Registry(tmp_path).schema(NOTE, {"type": "string"})
    assert can("transform", "test", "--registry", tmp_path).returncode == 0
    (found,) = findings(tmp_path)
    assert found.startswith(f"{other.relative_to(tmp_path)}: schema_path: is never read: {tmp_path}/transforms/schemas")


@pytest.mark.parametrize("version", ["1-0-0", "1.0.0"])
def test_versions_may_have_dashes(version: str, tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.versioned("$", version="1.0.0" if version == "1-0-0" else "0-9-0")
    meta = registry.versioned('{"new": true}', version=version)
    done = can("transform", "run", f"note/raw_to_note@{version}", "--registry", tmp_path, stdin=b"{}")
    assert (done.returncode, done.stdout) == (0, b'{"new":true}\n')
    assert not [line for line in findings(tmp_path) if str(meta) in line and "no_golden" not in line]


def test_golden_tests_above_the_directory_are_refused_with_the_line_to_change(tmp_path: Path) -> None:
    sound(tmp_path)
    path = tmp_path / META
    fields = json.loads(path.read_text())
    text = "\n".join(f"{key}: {json.dumps(value)}" for key, value in fields.items() if key != "tests")
    path.write_text(f"{text}\ntests:\n  - input: ../tests/a.input.json\n    expect: tests/a.output.json\n")
    line = path.read_text().splitlines().index("  - input: ../tests/a.input.json") + 1
    found = [finding for finding in findings(tmp_path) if ": golden: " in finding]
    assert found == [
        f"{META}:{line}: golden: tests.0.input: must be below {tmp_path}/note: "
        "move the file there and write a path without `..`"
    ]


def test_an_unknown_extension_is_refused_by_name_with_the_line(tmp_path: Path) -> None:
    registry = sound(tmp_path)
    meta = registry.flat('{"md": $htmlToMarkdown(html)}', extensions=[{"name": "htmlToMarkdown"}, "$isoDate"])
    done = can("transform", "run", "--meta", meta, stdin=b'{"html":"<h1>A</h1>"}')
    assert (done.returncode, done.stdout) == (0, b'{"md":"# A"}\n')
    meta = registry.flat("$", extensions=[{"name": "htmlToMarkdown"}, {"name": "frobnicate"}])
    done = can("transform", "run", "--meta", meta, stdin=b"{}")
    assert done.returncode == 4
    assert f"{meta}:1:".encode() in done.stderr
    assert b"extensions: there is no host function $frobnicate" in done.stderr
