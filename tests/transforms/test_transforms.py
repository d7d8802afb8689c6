"""The bundled registry, through the real `can`: golden tests, the architecture's example, samples of each source."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorchestra.components.canonizer.record import engines

BIN = Path(sys.executable).parent
REGISTRY = Path(__file__).parents[2] / "transforms"
METAS = sorted(path for path in REGISTRY.glob("*/*.meta.yaml"))
SAMPLES = {
    "email/gmail_to_canonical_v1": "gmail-messages",
    "email/exchange_to_canonical_v1": "exchange-messages",
    "contact/dataverse_contact_to_canonical_v1": "dataverse-contacts",
    "clinical_session/dataverse_session_to_canonical_v1": "dataverse-sessions",
    "form_response/google_forms_to_canonical_v1": "google-forms-responses",
    "appointment/google_calendar_to_canonical_v1": "google-calendar-events",
    "appointment/graph_event_to_canonical_v1": "outlook-events",
    "contact/google_person_to_canonical_v1": "google-contacts",
    "contact/graph_contact_to_canonical_v1": "outlook-contacts",
}
CANARY = "CANARY4711"


def can(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [str(BIN / "can"), *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False)


def canonized(transform: str, records: list[Any], *options: object) -> list[Any]:
    """The records that a transform makes, in order; fails where one is rejected."""
    lines = b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)
    done = can(
        "transform", "run", "--meta", REGISTRY / f"{transform}.meta.yaml", "--no-skip-invalid", *options, stdin=lines
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.split(b"\n") if line]


def canonical_schema(transform: str) -> dict[str, Any]:
    uri = yaml.safe_load((REGISTRY / f"{transform}.meta.yaml").read_text("utf-8"))["to_schema"]
    document: dict[str, Any] = json.loads((REGISTRY / "schemas" / f"{uri[5:]}.json").read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One extract of 300 records a source."""
    raw = tmp_path_factory.mktemp("raw")
    for kind in SAMPLES.values():
        subprocess.run(
            [str(BIN / "lorchestra-sample"), kind, "--output", raw, "--records", "300"], check=True, capture_output=True
        )
    return {name: raw / f"{kind}-sample-20251110.jsonl" for name, kind in SAMPLES.items()}


def test_the_example_of_the_architecture_comes_out_exactly_as_it_is_printed_there() -> None:
    record = {
        "id": "abc123",
        "payload": {"headers": [{"name": "From", "value": "sender@example.com"}, {"name": "Subject", "value": "Test"}]},
    }
    assert canonized("email/gmail_to_canonical_v1", [record]) == [
        {
            "message_id": "abc123",
            "from": "sender@example.com",
            "subject": "Test",
            "schema": "iglu:org.canonical/email/jsonschema/1-0-0",
        }
    ]


@pytest.mark.parametrize("meta", METAS, ids=lambda path: path.name)
def test_golden_records_come_out_as_they_lie_there(meta: Path) -> None:
    transform = meta.relative_to(REGISTRY).as_posix().removesuffix(".meta.yaml")
    cases = yaml.safe_load(meta.read_text("utf-8"))["tests"]
    beside = sorted((meta.parent / "tests" / meta.name.removesuffix(".meta.yaml")).glob("*.input.json"))
    assert [meta.parent / case["input"] for case in cases] == beside, "each golden test is named in the metadata"
    inputs = [json.loads((meta.parent / case["input"]).read_text("utf-8")) for case in cases]
    expected = [json.loads((meta.parent / case["expect"]).read_text("utf-8")) for case in cases]
    flat = [record for one in expected for record in (one if isinstance(one, list) else [one])]
    assert canonized(transform, inputs) == flat


def test_the_registry_has_no_findings_and_both_engines_agree_on_its_golden_tests() -> None:
    assert can("registry", "validate", "--registry", REGISTRY).returncode == 0
    tested = can("transform", "test", "--registry", REGISTRY, "--engine", "all")
    assert (tested.returncode, tested.stderr) == (0, b"")
    assert b"failed: 0" in tested.stdout


@pytest.mark.parametrize("transform", SAMPLES)
def test_every_sample_becomes_one_canonical_record_that_its_schema_accepts(
    transform: str, samples: dict[str, Path]
) -> None:
    records = [json.loads(line) for line in samples[transform].read_bytes().split(b"\n") if line]
    made = canonized(transform, records)
    assert len(made) == len(records) == 300
    judge = jsonschema.Draft202012Validator(canonical_schema(transform))
    assert not [list(error.schema_path) for record in made for error in judge.iter_errors(record)]
    for engine in engines.installed():
        assert made == canonized(transform, records, "--engine", engine)


@pytest.mark.parametrize("transform", SAMPLES)
def test_malformed_samples_are_rejected_and_counted_and_a_canary_reaches_no_message(
    transform: str, tmp_path: Path
) -> None:
    kind = SAMPLES[transform]
    options = ["--records", "100", "--malformed", "0.1", "--canary", CANARY]
    subprocess.run(
        [str(BIN / "lorchestra-sample"), kind, "--output", tmp_path, *options], check=True, capture_output=True
    )
    raw = tmp_path / f"{kind}-sample-20251110.jsonl"
    report, rejects = tmp_path / "report.json", tmp_path / "rejects.jsonl"
    meta = REGISTRY / f"{transform}.meta.yaml"
    done = can("transform", "run", "--meta", meta, "--input", raw, "--rejects", rejects, "--report", report)
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["rejected"] == 10
    assert len(rejects.read_bytes().splitlines()) == 10
    assert len(done.stdout.splitlines()) == 90
    assert all(CANARY in line for line in done.stdout.decode().splitlines())
    assert CANARY not in done.stderr.decode() + report.read_text()


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """All subschemas of a schema."""
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


@pytest.mark.parametrize(
    "path", sorted(REGISTRY.glob("schemas/org.canonical/**/*.json")), ids=lambda path: path.parts[-3]
)
def test_canonical_schemas_are_closed_and_bounded(path: Path) -> None:
    document = json.loads(path.read_text("utf-8"))
    for schema in objects(document):
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
        if schema.get("type") == "string":
            assert schema.keys() & {"maxLength", "pattern"}
        if schema.get("type") == "array":
            assert "maxItems" in schema
    assert set(document["x-key"]) <= set(document["required"])
    assert (
        document["properties"]["schema"]["const"]
        == f"iglu:{path.relative_to(REGISTRY / 'schemas').with_suffix('').as_posix()}"
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PIECES = st.sampled_from(
    [
        "=?utf-8?B?w6k=?=",
        "=?x?q?=",
        "=?utf-8?Q??=",
        "<a@b>",
        '"x, y"',
        "a@example.org",
        ",",
        ";",
        ":",
        "group: a@b;",
        "(c)",
        "\\",
        "\r\n ",
        "<>",
        "@",
        " ",
    ]
)
VALUES = st.one_of(TEXT, st.lists(st.one_of(PIECES, TEXT), max_size=6).map("".join))
NAMES = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "From",
            "TO",
            "cc",
            "Bcc",
            "subject",
            "Date",
            "Message-ID",
            "References",
            "Reply-To",
            "In-Reply-To",
            "Content-Type",
        ]
    ),
)
HEADERS = st.lists(st.fixed_dictionaries({"name": NAMES, "value": VALUES}), max_size=8)
DATA = st.one_of(TEXT, st.binary(max_size=60).map(lambda raw: urlsafe_b64encode(raw).decode().rstrip("=")))
TYPES = st.one_of(
    TEXT,
    st.sampled_from(
        ["text/plain", "text/html", "multipart/mixed", "multipart/alternative", "message/rfc822", "image/png"]
    ),
)
BODY = st.fixed_dictionaries({}, optional={"data": DATA, "size": st.integers(0, 10**9), "attachmentId": TEXT})
PART_FIELDS = {"mimeType": TYPES, "filename": VALUES, "headers": HEADERS, "body": BODY}
PART = st.recursive(
    st.fixed_dictionaries({}, optional=PART_FIELDS),
    lambda inner: st.fixed_dictionaries({"parts": st.lists(inner, max_size=3)}, optional=PART_FIELDS),
    max_leaves=6,
)
MESSAGE = st.fixed_dictionaries(
    {"id": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), "payload": PART},
    optional={
        "threadId": TEXT,
        "labelIds": st.lists(TEXT, max_size=3),
        "internalDate": st.integers(-(10**14), 10**14).map(str),
    },
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(MESSAGE, min_size=1, max_size=20))
def test_no_message_that_gmail_could_give_is_rejected(messages: list[Any]) -> None:
    made = canonized("email/gmail_to_canonical_v1", messages)
    assert [record["message_id"] for record in made] == [message["id"] for message in messages]
    assert all(value not in (None, "", []) for record in made for value in record.values())
