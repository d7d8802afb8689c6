"""The paths of a target's three files."""

from __future__ import annotations

from pathlib import Path

from lorchestra.records import targets


def test_the_three_files_of_a_target() -> None:
    assert targets.files(Path("/phi/canonical"), "clinical_session-20251112") == (
        "/phi/canonical/clinical_session-20251112.jsonl",
        "/phi/canonical/rejects/clinical_session-20251112.jsonl",
        "/phi/canonical/lineage/clinical_session-20251112.json",
    )


def test_each_file_is_in_one_of_the_directories() -> None:
    canonical = Path("/phi/canonical")
    assert [Path(file).parent for file in targets.files(canonical, "email-20251112")] == [
        *targets.directories(canonical)
    ]
