"""The pool of `can serve` programs."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Code
from lorchestra.executors.local import LocalExecutor
from tests.harness import ROOT

TRANSFORM = "contact/dataverse_contact_to_canonical_v1"


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    """A job whose only input has one record that is rejected."""
    raw = tmp_path / "contacts-dataverse-20251110.jsonl"
    raw.write_text('{"no": "contact"}\n')
    return {
        "op": "canonize",
        "id": "contact-20251110",
        "inputs": [{"path": str(raw), "meta": str(ROOT / f"transforms/{TRANSFORM}.meta.yaml"), "transform": TRANSFORM}],
        "schemas": str(ROOT / "transforms/schemas"),
        "output": str(tmp_path / "contact-20251110.jsonl"),
        "rejects": str(tmp_path / "rejects.jsonl"),
        "lineage": str(tmp_path / "lineage.json"),
        "skip_invalid": True,
        "require_checksums": True,
        "max_rejects": None,
        "recipe": {},
    }


def test_a_job_returns_its_counts(tmp_path: Path, job: dict[str, Any]) -> None:
    executor = LocalExecutor(["can"], tmp_path, 1)
    result = executor.run(job)
    executor.close()
    assert result.code is None
    assert result.counts == {"records_in": 1, "records_out": 0, "rejected": 1, "dropped": 0}
    assert Path(job["output"]).read_bytes() == b""
    assert len(Path(job["rejects"]).read_bytes().splitlines()) == 1


def test_failures_are_returned_with_code_and_advice(tmp_path: Path, job: dict[str, Any]) -> None:
    executor = LocalExecutor(["can"], tmp_path, 1)
    failed = executor.run(job | {"max_rejects": 0})
    assert (failed.code, bool(failed.outcome.advice)) == (Code.TOO_MANY_REJECTS, True)
    assert not Path(job["output"]).exists()
    assert executor.run(job).code is None  # by the same program
    executor.close()
    assert LocalExecutor(["no-such-can"], tmp_path, 1).run(job).code is Code.COMPONENT_MISSING


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path, job: dict[str, Any]) -> None:
    executor = LocalExecutor(["sh", "-c", "sleep 60"], tmp_path, 1, timeout_seconds=0.2)
    assert executor.run(job).code is Code.TIMED_OUT
    executor.close()


def test_abort_ends_running_jobs_and_refuses_further_ones(tmp_path: Path, job: dict[str, Any]) -> None:
    executor = LocalExecutor(["sh", "-c", f"touch {tmp_path}/began; sleep 60"], tmp_path, 1)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(executor.run(job)))
    thread.start()
    deadline = time.monotonic() + 30
    while not (tmp_path / "began").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    executor.close(abort=True)
    thread.join(30)
    assert [result.code for result in results] == [Code.INTERRUPTED]
    assert executor.run(job).code is Code.INTERRUPTED
