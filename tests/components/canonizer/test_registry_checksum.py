"""`can registry checksum`: says what differs, writes it on request, and keeps every other byte."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from tests.components.canonizer.harness import NOTE, RAW, Registry, can

SPEC = '{"id": id}'
DIGEST = hashlib.sha256(SPEC.encode()).hexdigest()
OLD = "0a" * 32
HEAD = (
    f"# why this is here\nid:   note/raw_to_note_v1   # ours\nversion: '1.0.0'\nfrom_schema: {RAW}\nto_schema: {NOTE}\n"
)


def registry(root: Path, meta_text: str) -> Path:
    meta = Registry(root).flat(SPEC)
    meta.write_text(meta_text)
    meta.chmod(0o640)
    return meta


def test_matching_checksums_are_unchanged(tmp_path: Path) -> None:
    meta = Registry(tmp_path).flat(SPEC)
    before = meta.read_bytes(), meta.stat().st_mtime_ns
    done = can("registry", "checksum", "--registry", tmp_path, "--write")
    assert (done.returncode, done.stdout) == (0, b"transforms: 1, checksums that were written: 0\n")
    assert (meta.read_bytes(), meta.stat().st_mtime_ns) == before


def test_a_difference_is_reported_with_the_first_digits_and_nothing_is_written(tmp_path: Path) -> None:
    meta = registry(tmp_path, f"{HEAD}checksum:\n  jsonata_sha256: {OLD}\n")
    before = meta.read_bytes()
    done = can("registry", "checksum", "--registry", tmp_path)
    assert done.returncode == 4
    assert f"{OLD[:12]} but the spec has {DIGEST[:12]}" in done.stdout.decode()
    assert meta.read_bytes() == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            'checksum:\n  algorithm: sha256\n  value: ""  # to come\nauthor: A\n',
            f'checksum:\n  algorithm: sha256\n  value: "{DIGEST}"  # to come\nauthor: A\n',
        ),
        ("checksum: {jsonata_sha256: ''}\n", f'checksum: {{jsonata_sha256: "{DIGEST}"}}\n'),
        (
            f"checksum:\n  jsonata_sha256: {OLD}  # by hand\ntests: []\n",
            f"checksum:\n  jsonata_sha256: {DIGEST}  # by hand\ntests: []\n",
        ),
        (f"checksum: {{jsonata_sha256: '{OLD}'}}\n", f"checksum: {{jsonata_sha256: '{DIGEST}'}}\n"),
        (
            f"checksum:\n  algorithm: sha256\n  value: {OLD.upper()}\n",
            f"checksum:\n  algorithm: sha256\n  value: {DIGEST}\n",
        ),
        ("status: draft", f"status: draft\nchecksum:\n  jsonata_sha256: {DIGEST}\n"),
        ("checksum:\nstatus: draft\n", f"checksum:\n  jsonata_sha256: {DIGEST}\nstatus: draft\n"),
        ("checksum: null\r\nstatus: draft\r\n", f"checksum:\n  jsonata_sha256: {DIGEST}\nstatus: draft\r\n"),
    ],
)
def test_writing_changes_the_digest_and_nothing_else(before: str, after: str, tmp_path: Path) -> None:
    meta = registry(tmp_path, HEAD + before)
    done = can("registry", "checksum", "--registry", tmp_path, "--write", "note/raw_to_note_v1")
    assert done.returncode == 0, done.stderr
    assert meta.read_bytes().decode() == HEAD + after
    assert stat.S_IMODE(meta.stat().st_mode) == 0o640
    assert can("registry", "checksum", "--registry", tmp_path).returncode == 0
    assert sorted(path.name for path in meta.parent.iterdir()) == ["raw_to_note_v1.jsonata", "raw_to_note_v1.meta.yaml"]


@pytest.mark.parametrize("before", ["checksum: ~  # none yet\n", "...\n"])
def test_a_layout_that_is_not_understood_is_left_to_its_owner(before: str, tmp_path: Path) -> None:
    meta = registry(tmp_path, HEAD + before)
    done = can("registry", "checksum", "--registry", tmp_path, "--write")
    assert (done.returncode, meta.read_bytes().decode()) == (2, HEAD + before)
    assert b"write checksum.jsonata_sha256 by hand" in done.stderr


def test_a_transform_that_is_not_there_is_refused(tmp_path: Path) -> None:
    Registry(tmp_path).flat(SPEC)
    assert can("registry", "checksum", "--registry", tmp_path, "note/none").returncode == 4
    (tmp_path / "empty").mkdir()
    assert can("registry", "checksum", "--registry", tmp_path / "empty").returncode == 4
