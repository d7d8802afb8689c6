"""The sampler: its files are reproducible, private, of the right size, and marked as synthetic."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(sys.executable).with_name("lorchestra-sample")
IDENTITY = {
    "gmail-messages": "id",
    "exchange-messages": "id",
    "dataverse-contacts": "contactid",
    "dataverse-sessions": "new_sessionid",
    "google-forms-responses": "responseId",
    "google-calendar-events": "id",
    "google-contacts": "resourceName",
    "outlook-events": "id",
    "outlook-contacts": "id",
}
KINDS = tuple(IDENTITY)


def sample(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(SAMPLE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("kind", KINDS)
def test_one_private_file_per_day_in_a_private_directory(kind: str, tmp_path: Path) -> None:
    raw = tmp_path / "phi" / "raw"
    done = sample(kind, "--name", f"{kind}-acct1", "--output", raw, "--start", "20251230", "--days", 3, "--records", 40)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 files with 120 synthetic records" in done.stdout
    names = [f"{kind}-acct1-{day}.jsonl" for day in ("20251230", "20251231", "20260101")]
    assert sorted(path.name for path in raw.iterdir()) == names
    assert stat.S_IMODE(raw.stat().st_mode) == 0o700
    identities = set()
    for name in names:
        assert stat.S_IMODE((raw / name).stat().st_mode) == 0o600
        lines = (raw / name).read_bytes().splitlines()
        assert len(lines) == 40
        assert all(300 <= len(line) <= 8_192 for line in lines)
        assert 500 <= sum(map(len, lines)) / len(lines) <= 4_096
        identities |= {record[IDENTITY[kind]] for record in records(raw / name)}
    assert len(identities) == 120


@pytest.mark.parametrize("kind", KINDS)
def test_every_record_says_that_it_is_synthetic(kind: str, tmp_path: Path) -> None:
    assert sample(kind, "--output", tmp_path).returncode == 0
    for record in records(tmp_path / f"{kind}-sample-20251110.jsonl"):
        assert "ynthetic" in json.dumps(record)


def test_the_same_arguments_give_the_same_bytes_and_a_day_does_not_depend_on_the_others(tmp_path: Path) -> None:
    one, two, late, other = (tmp_path / name for name in ("one", "two", "late", "other"))
    for output, start, days, seed in (
        (one, 20251110, 3, 7),
        (two, 20251110, 3, 7),
        (late, 20251111, 1, 7),
        (other, 20251111, 1, 8),
    ):
        sample("gmail-messages", "--output", output, "--start", start, "--days", days, "--seed", seed)
    content = {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    for path in one.iterdir():
        assert content[path] == content[two / path.name]
    middle = "gmail-messages-sample-20251111.jsonl"
    assert content[one / middle] == content[late / middle] != content[other / middle]


def test_two_accounts_share_no_record(tmp_path: Path) -> None:
    for account in ("gmail-messages-acct1", "gmail-messages-acct2"):
        sample("gmail-messages", "--output", tmp_path, "--name", account)
    first, second = ({record["id"] for record in records(path)} for path in sorted(tmp_path.iterdir()))
    assert not first & second


def test_the_share_of_malformed_records_is_exact(tmp_path: Path) -> None:
    done = sample("dataverse-contacts", "--output", tmp_path, "--records", 200, "--malformed", 0.05)
    assert "10 of them malformed" in done.stdout
    found = records(next(tmp_path.iterdir()))
    assert sum(not isinstance(record.get("contactid"), str) for record in found) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_canary_is_in_every_free_text_and_in_keys_that_are_data(kind: str, tmp_path: Path) -> None:
    token = "CANARY4711"
    done = sample(kind, "--output", tmp_path, "--records", 60, "--malformed", 0.1, "--canary", token)
    assert token not in done.stdout + done.stderr
    for record in records(next(tmp_path.iterdir())):
        if token in record:  # a malformed one: everywhere
            assert all(token in text for text in strings(record))
        identity = record.get(IDENTITY[kind])
        if isinstance(identity, str) and kind not in ("dataverse-contacts", "dataverse-sessions"):
            assert token in identity
        if isinstance(record.get("answers"), dict) and token not in record:
            assert all(key.endswith(token) for key in record["answers"])
    assert sum(token in record for record in records(next(tmp_path.iterdir()))) == 6


def test_mail_has_all_shapes_of_real_mail(tmp_path: Path) -> None:
    sample("gmail-messages", "--output", tmp_path, "--records", 400)
    text = next(tmp_path.iterdir()).read_text("utf-8")
    for trait in ("multipart/alternative", "multipart/mixed", "attachmentId", "=?UTF-8?B?", "gb18030", "undisclosed"):
        assert trait in text
    assert "見本" in text
    names = {header["name"] for line in text.splitlines() for header in json.loads(line)["payload"]["headers"]}
    assert {"From", "from", "FROM"} <= names


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["gmail-messages"], "--output"),
        (["gmail-messages", "--output", ""], "must not be empty"),
        (["letters", "--output", "x"], "there is no"),
        (["gmail-messages", "--output", "x", "--start", "20250230"], "YYYYMMDD"),
        (["gmail-messages", "--output", "x", "--days", "0"], "whole number"),
        (["gmail-messages", "--output", "x", "--records", "-1"], "whole number"),
        (["gmail-messages", "--output", "x", "--malformed", "2"], "from 0 to 1"),
        (["gmail-messages", "--output", "x", "--malformed", "nan"], "from 0 to 1"),
        (["gmail-messages", "--output", "x", "--name", "../etc"], "letters"),
        (["gmail-messages", "--output", "x", "--canary", "a b"], "letters"),
        (["gmail-messages", "--output", "x", "--start", "99991231", "--days", "2"], "9999"),
    ],
)
def test_wrong_arguments_are_refused_with_status_2_and_write_nothing(
    arguments: list[str], word: str, tmp_path: Path
) -> None:
    done = sample(*[str(tmp_path / item) if item == "x" else item for item in arguments])
    assert done.returncode == 2
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_no_records_make_an_empty_file(tmp_path: Path) -> None:
    assert sample("gmail-messages", "--output", tmp_path, "--records", 0).returncode == 0
    assert next(tmp_path.iterdir()).read_bytes() == b""


def test_an_output_that_is_a_file_is_refused_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("")
    done = sample("gmail-messages", "--output", tmp_path / "raw")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    limited = ["prlimit", "--fsize=20000", str(SAMPLE), "gmail-messages", "--output", str(tmp_path), "--records", "500"]
    # The limit would also cut the file in which coverage is measured.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(limited, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 6, done.stderr
    assert not list(tmp_path.iterdir())


def test_help_lists_kinds_and_an_example() -> None:
    done = sample("--help")
    assert done.returncode == 0
    assert all(kind in done.stdout for kind in KINDS)
