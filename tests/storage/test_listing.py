"""Listing a directory: kinds of entries, and identities that change with every edit."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from lorchestra.storage import listing


def test_files_directories_and_the_rest(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    (tmp_path / ".temporary").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    found = listing.read(tmp_path)
    assert (list(found.files), list(found.directories)) == (["file"], ["directory"])
    assert set(found.others) == {".temporary", "link", "dangling", "fifo"}
    assert len(dict(found.entries())) == 6


def test_a_missing_directory_is_empty(tmp_path: Path) -> None:
    assert listing.read(tmp_path / "nowhere") == listing.Listing(tmp_path / "nowhere", {}, {}, {})
    with pytest.raises(NotADirectoryError):
        (tmp_path / "file").touch()
        listing.read(tmp_path / "file")


def test_an_entry_that_is_removed_meanwhile_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    found = listing.read_some(tmp_path, ["there", "gone"])
    assert list(found.files) == ["there"]


@pytest.mark.parametrize("edit", ["grow", "same size", "replaced", "mtime put back"])
def test_every_edit_changes_the_identity(tmp_path: Path, edit: str) -> None:
    path, other = tmp_path / "f", tmp_path / "g"
    path.write_bytes(b"content")
    before = path.stat()
    time.sleep(0.02)  # the clock of some file systems is that coarse
    if edit == "replaced":
        shutil.copy2(path, other)
        other.replace(path)
    else:
        path.write_bytes(b"content, more" if edit == "grow" else b"CONTENT")
        if edit == "mtime put back":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert listing.identity(path.stat()) != listing.identity(before)
