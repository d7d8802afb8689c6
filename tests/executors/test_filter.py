"""A canonizer that is a filter: raw records on stdin, canonical records on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Code
from lorchestra.executors.filter import FilterExecutor, is_filter


def run(directory: Path, script: str, **settings: Any) -> tuple[Code | None, dict[str, Any], list[str]]:
    """Run a job of three records through a shell script; return its code, its counts and the lines of the output."""
    raw = directory / "notes-a-20251110.jsonl"
    raw.write_text('{"n": 1}\n{"n": 2}\n{"n": 3}\n')
    job: dict[str, Any] = {
        "id": "note-20251110",
        "inputs": [{"path": str(raw), "meta": "/registry/note.meta.yaml", "transform": "note/a"}],
        "schemas": "/registry/schemas",
        **{name: str(directory / f"{name}.out") for name in ("output", "rejects", "lineage")},
        "skip_invalid": True,
        "require_checksums": True,
        "max_rejects": None,
        "recipe": {},
    }
    executor = FilterExecutor(["sh", "-c", script, "filter", "{meta}", "{rejects}"], directory, 1, 30)
    result = executor.run(job | settings)
    output = Path(str(job["output"]))
    return result.code, dict(result.counts), output.read_text().splitlines() if output.exists() else []


def test_a_command_with_a_placeholder_is_a_filter() -> None:
    assert is_filter(["can", "transform", "run", "--meta", "{meta}"])
    assert not is_filter(["can"])


def test_counts_and_files(tmp_path: Path) -> None:
    code, counts, output = run(tmp_path, 'sed 2d; echo "{}" > "$2"')
    assert (code, output) == (None, ['{"n": 1}', '{"n": 3}'])
    assert counts == {"records_in": 3, "records_out": 2, "rejected": 1, "dropped": 0}
    lineage = json.loads((tmp_path / "lineage.out").read_bytes())
    assert (lineage["output"]["records"], lineage["rejects"]["records"]) == (2, 1)
    assert lineage["inputs"][0]["transform"] == {"id": "note/a"}


def test_a_filter_that_prints_nothing_drops_every_record(tmp_path: Path) -> None:
    assert run(tmp_path, "cat > /dev/null") == (
        None, {"records_in": 3, "records_out": 0, "rejected": 0, "dropped": 3}, [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("cat; exit 1", Code.COMPONENT_FAILED),
        ("cat; echo no JSON", Code.COMPONENT_FAILED),
        ("echo '[1]'", Code.COMPONENT_FAILED),
        ("kill -9 $$", Code.COMPONENT_CRASHED),
    ],
)
def test_a_failed_filter_changes_nothing(tmp_path: Path, script: str, code: Code) -> None:
    assert run(tmp_path, "cat")[0] is None
    before = {path: path.read_bytes() for path in tmp_path.glob("*.out")}
    assert run(tmp_path, script)[0] is code
    assert {path: path.read_bytes() for path in tmp_path.glob("*.out")} == before


@pytest.mark.parametrize(("limit", "code"), [(0, Code.TOO_MANY_REJECTS), ("33%", Code.TOO_MANY_REJECTS), ("34%", None)])
def test_the_limit_of_rejects(tmp_path: Path, limit: int | str, code: Code | None) -> None:
    assert run(tmp_path, 'sed 2d; echo "{}" > "$2"', max_rejects=limit)[0] is code
