"""One table from failures to exit statuses; a failure's text never comes from an exception."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lorchestra.base.errors import HANDLING, Code, ConfigFailure, Exit, Failure, Finding, from_os_error

CONTRACTS = Path(__file__).parents[2] / "docs" / "contracts.md"


def test_every_code_has_consequences_and_advice() -> None:
    assert set(HANDLING) == set(Code)
    assert all(outcome.advice.endswith(".") for outcome in HANDLING.values())


def test_the_contract_prints_the_same_statuses() -> None:
    rows = [line.split("|")[1:4] for line in CONTRACTS.read_text().splitlines() if line.startswith("| ")]
    table = {int(status): tried for status, _, tried in rows if status.strip().isdigit()}
    assert set(table) == set(Exit)
    for outcome in HANDLING.values():
        if table[outcome.exit].strip() == "no":
            assert not outcome.retry


@pytest.mark.parametrize(
    "code", [Code.CONFIG, Code.USAGE, Code.NOT_JSONL, Code.PERMISSION, Code.INSECURE, Code.NO_SPACE]
)
def test_failures_that_need_a_person_are_never_retried(code: Code) -> None:
    assert not Failure(code, "").retry


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (errno.ENOSPC, Code.NO_SPACE, "/x: no space left on device (ENOSPC)"),
        (errno.EDQUOT, Code.NO_SPACE, "/x: disk quota exceeded (EDQUOT)"),
        (errno.EACCES, Code.PERMISSION, "/x: permission denied (EACCES)"),
        (errno.EROFS, Code.PERMISSION, "/x: read-only file system (EROFS)"),
        (errno.ENOENT, Code.MISSING, "/x: no such file or directory (ENOENT)"),
        (errno.EISDIR, Code.MISSING, "/x: is a directory (EISDIR)"),
        (errno.EIO, Code.UNEXPECTED, "/x: input/output error (EIO)"),
    ],
)
def test_errors_of_the_operating_system_have_codes(number: int, code: Code, words: str) -> None:
    error = OSError(number, "canary", "/x")
    assert (from_os_error(error).code, from_os_error(error).message) == (code, words)
    assert from_os_error(error, "/y").message.startswith("/y: ")


def test_an_os_error_without_a_number_shows_its_type_alone() -> None:
    assert from_os_error(OSError("canary")).message == "OSError"
    assert "canary" not in from_os_error(OSError(123456, "canary")).message


def test_a_too_long_path_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        os.stat(tmp_path / ("a" * 300))
    assert from_os_error(caught.value, "p").code is Code.MISSING


def test_findings_are_reported_once_in_document_order() -> None:
    failure = ConfigFailure("p.yaml", [Finding(2, 1, "b"), Finding(1, 9, "a"), Finding(2, 1, "b")])
    assert failure.message == "p.yaml:1:9: a\np.yaml:2:1: b"
    assert failure.findings == (Finding(1, 9, "a"), Finding(2, 1, "b"))
    assert failure.exit is Exit.USAGE


def test_better_advice_replaces_the_tables() -> None:
    assert Failure(Code.BUSY, "").advice == HANDLING[Code.BUSY].advice
    assert Failure(Code.BUSY, "", advice="Wait.").advice == "Wait."
