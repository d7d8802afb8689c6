"""What the pipeline knows of a transform: where it lies, the type it makes, and that any edit of any part shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Code, ConfigFailure, Failure
from lorchestra.planning import transforms

GMAIL, EMAIL = "iglu:com.google/gmail_message/jsonschema/1-0-0", "iglu:org.canonical/email/jsonschema/1-0-0"
FLAT = f"from_schema: {GMAIL}\nto_schema: {EMAIL}\n"
VERSIONED = f"input_schema: {GMAIL}\noutput_schema: {EMAIL}\nchecksum: {{algorithm: sha256, value: x}}\n"


class Registry:
    """A registry with one or more transforms in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.schemas = root, root / "schemas"
        self.schema(GMAIL, {"type": "object"})
        self.schema(EMAIL, {"type": "object"})

    def put(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def schema(self, uri: str, document: Any, suffix: str = "") -> Path:
        return self.put(f"schemas/{uri.removeprefix('iglu:')}{suffix}", json.dumps(document))

    def flat(self, name: str = "email/gmail_v1", text: str = FLAT, below: str = "") -> Path:
        self.put(f"{below}{name}.jsonata", "{}")
        return self.put(f"{below}{name}.meta.yaml", text)

    def version(self, version: str, name: str = "email/gmail", text: str = VERSIONED, below: str = "") -> Path:
        self.put(f"{below}{name}/{version}/spec.jsonata", "{}")
        return self.put(f"{below}{name}/{version}/spec.meta.yaml", text)

    def resolve(self, name: str = "email/gmail_v1") -> transforms.Transform:
        return transforms.resolve(self.root, self.schemas, name)

    def refused(self, name: str = "email/gmail_v1") -> Failure:
        with pytest.raises(Failure) as caught:
            self.resolve(name)
        return caught.value


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


def names(transform: transforms.Transform) -> list[str]:
    return sorted(path.name if path.suffix else path.parts[-3] for path in transform.files)


def test_a_flat_transform_is_its_metadata_its_spec_and_two_schemas(registry: Registry) -> None:
    meta = registry.flat()
    found = registry.resolve()
    assert (found.id, found.meta, found.type) == ("email/gmail_v1", meta, "email")
    assert names(found) == ["email", "gmail_message", "gmail_v1.jsonata", "gmail_v1.meta.yaml"]


def test_a_versioned_transform_says_the_same_in_its_own_dialect(registry: Registry) -> None:
    registry.version("1.0.0")
    found = registry.resolve("email/gmail@1.0.0")
    assert found.type == "email"
    assert names(found) == ["email", "gmail_message", "spec.jsonata", "spec.meta.yaml"]


@pytest.mark.parametrize("name", ["email/gmail@latest", "email/gmail"])
def test_the_latest_version_is_the_highest_number(registry: Registry, name: str) -> None:
    for version in ("9.0.0", "10.0.0", "2.11.1", "2.9.1"):
        registry.version(version)
    for other in ("11.0.0-beta", "draft", "٩٩.0.0", "12.0"):
        registry.version(other)
    (registry.root / "email" / "gmail" / "99.0.0").mkdir()
    assert registry.resolve(name).meta.parent.name == "10.0.0"


def test_versions_exist_or_not(registry: Registry) -> None:
    registry.version("1.0.0")
    assert registry.refused("email/gmail@1.0.1").code is Code.TRANSFORM_MISSING
    assert (
        registry.refused("email/other@latest").message == f"the transform email/other@latest is not in {registry.root}"
    )
    registry.flat()
    assert registry.refused("email/gmail_v1@latest").code is Code.TRANSFORM_MISSING


def test_a_flat_transform_goes_before_versions_of_its_name(registry: Registry) -> None:
    registry.version("1.0.0")
    meta = registry.flat("email/gmail")
    assert registry.resolve("email/gmail").meta == meta
    assert registry.resolve("email/gmail@latest").meta != meta


def test_transforms_may_lie_in_a_directory_of_their_own(registry: Registry) -> None:
    assert registry.flat(below="transforms/") == registry.resolve().meta
    assert registry.version("1.0.0", below="transforms/") == registry.resolve("email/gmail@1.0.0").meta


@pytest.mark.parametrize("name", ["../email/x", "email/", "email/x@newest", "/etc/passwd", "Canary 7f3a"])
def test_a_name_outside_the_registry_is_refused_unread(registry: Registry, name: str) -> None:
    failure = registry.refused(name)
    assert (failure.code, failure.exit) == (Code.USAGE, 2)
    assert "Canary" not in failure.message


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "text", "from_schema: x", f"to_schema: {EMAIL}x", "to_schema: 5", "to_schema: [a]",
        "to_schema: iglu:v/E-Mail/jsonschema/1-0-0",
    ],
)  # fmt: skip
def test_metadata_that_names_no_type_is_invalid(registry: Registry, text: str) -> None:
    meta = registry.flat(text=text)
    failure = registry.refused()
    assert (failure.code, failure.message) == (Code.TRANSFORM_INVALID, f"{meta}: it names no target schema")


def test_metadata_that_is_not_yaml_is_reported_with_its_location(registry: Registry) -> None:
    registry.flat(text=FLAT + "a: &x 1\n")
    failure = registry.refused()
    assert isinstance(failure, ConfigFailure)
    assert failure.findings[0].line == 3


@pytest.mark.parametrize("path", ["/etc/passwd", "../../outside.jsonata", "a/../../../x", "5"])
def test_a_spec_must_be_below_its_metadata(registry: Registry, path: str) -> None:
    registry.flat(text=FLAT + f"spec_path: {path}\n")
    assert registry.refused().code is Code.TRANSFORM_INVALID


def test_a_spec_may_have_another_name(registry: Registry) -> None:
    registry.put("email/specs/other.jsonata", "{}")
    registry.flat(text=FLAT + "spec_path: specs/other.jsonata\n")
    assert "other.jsonata" in names(registry.resolve())


@pytest.mark.parametrize("part", ["meta", "spec", "source", "target", "referred", "relative", "fragment"])
def test_an_edit_of_any_part_moves_the_fingerprint(registry: Registry, part: str) -> None:
    address, party, date = (f"iglu:org.canonical/{name}/jsonschema/1-0-0" for name in ("address", "party", "date"))
    files = {
        "meta": registry.flat(),
        "spec": registry.root / "email" / "gmail_v1.jsonata",
        "source": registry.schema(GMAIL, {"allOf": [{"$ref": address}]}),
        "target": registry.schema(EMAIL, {"properties": {"from": {"$ref": "../../party/jsonschema/1-0-0#/x"}}}),
        "referred": registry.schema(address, {"$ref": f"{date}#/$defs/day"}, ".json"),
        "relative": registry.schema(party, {"$ref": "#/$defs/x"}),
        "fragment": registry.schema(date, {"$ref": address}),
    }
    before = registry.resolve()
    assert set(before.files) == set(files.values())
    assert registry.resolve() == before
    files[part].write_text(files[part].read_text() + " \n")
    after = registry.resolve()
    assert after.fingerprint != before.fingerprint
    assert after.files == before.files


def test_other_files_of_the_registry_do_not_move_it(registry: Registry) -> None:
    registry.flat()
    before = registry.resolve()
    registry.flat("email/other_v1")
    registry.schema("iglu:org.canonical/email/jsonschema/1-0-1", {})
    registry.put("email/tests/a.json", "{}")
    assert registry.resolve() == before


@pytest.mark.parametrize("gone", ["spec", "source", "target"])
def test_what_is_missing_is_left_to_the_canonizer_and_shows_when_it_comes(registry: Registry, gone: str) -> None:
    registry.flat()
    whole = registry.resolve()
    parts = {
        "spec": registry.root / "email" / "gmail_v1.jsonata",
        "source": registry.schemas / GMAIL.removeprefix("iglu:"),
        "target": registry.schemas / EMAIL.removeprefix("iglu:"),
    }
    content = parts[gone].read_bytes()
    parts[gone].unlink()
    without = registry.resolve()
    assert (without.type, set(without.files)) == ("email", set(whole.files))
    assert without.fingerprint != whole.fingerprint
    parts[gone].write_bytes(content)
    assert registry.resolve() == whole


@pytest.mark.parametrize(
    "reference", ["http://example.com/x", "../../../../../etc/passwd", "iglu:x", "", 5, {"$ref": "iglu:a"}]
)
def test_references_outside_the_registry_are_not_followed(registry: Registry, reference: Any) -> None:
    registry.flat()
    before = names(registry.resolve())
    registry.schema(EMAIL, {"$ref": reference})
    assert names(registry.resolve()) == before


def test_an_invalid_source_schema_is_left_to_the_canonizer(registry: Registry) -> None:
    registry.flat(text=f"to_schema: {EMAIL}\nfrom_schema: 5\n")
    assert names(registry.resolve()) == ["email", "gmail_v1.jsonata", "gmail_v1.meta.yaml"]


def test_the_bundled_registry_resolves() -> None:
    root = Path(__file__).parents[2] / "transforms"
    found = [
        transforms.resolve(root, root / "schemas", f"{meta.parent.name}/{meta.name.removesuffix('.meta.yaml')}")
        for meta in sorted(root.glob("*/*.meta.yaml"))
    ]
    assert {one.type for one in found} >= {"email", "contact", "clinical_session", "form_response"}
    assert all(path.is_file() for one in found for path in one.files)
