"""Warnings about the place of the PHI directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorchestra.planning import surroundings
from lorchestra.platform import mounts
from tests.harness import Project


def warnings(phi: Path) -> str:
    return "\n".join(surroundings.place_warnings(phi))


@pytest.mark.parametrize(
    ("ignore", "warned"),
    [
        ("", True), ("other/\n", True), ("# phi-data/\n", True), ("phi-data/\n!phi-data/\n", True),
        ("phi-data/\n", False), ("/project/phi-data\n", False), ("*-data\n", False), ("project/\n", False),
    ],
)  # fmt: skip
def test_a_git_work_tree(tmp_path: Path, ignore: str, warned: bool) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text(ignore)
    phi = tmp_path / "project" / "phi-data"
    assert (f"{phi} is in the git work tree {tmp_path}." in warnings(phi)) == warned


@pytest.mark.parametrize(
    "folder",
    ["Dropbox", "Dropbox (Clinic)", "OneDrive - Clinic", "iCloud Drive", "Mobile Documents", "Google Drive", "My Drive",
     "CloudStorage"],
)  # fmt: skip
def test_folders_that_a_cloud_service_synchronizes(tmp_path: Path, folder: str) -> None:
    assert "which a cloud service synchronizes" in warnings(tmp_path / folder / "project" / "phi-data")
    assert warnings(tmp_path / "project" / "phi-data") == ""


def test_a_network_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["/dev/sda / ext4 rw 0 0", f"server:/x {tmp_path}/my\\040share nfs4 rw 0 0", "broken"]
    monkeypatch.setattr(mounts, "_lines", lambda _path: lines)
    assert "network file system (nfs4)" in warnings(tmp_path / "my share" / "phi-data")
    assert warnings(tmp_path / "my share2" / "phi-data") == ""


def test_unencrypted_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["Filename Type Size", "/dev/sda2 partition 1", "/dev/zram0 partition 1", "/swapfile file 1"]
    monkeypatch.setattr(mounts, "_lines", lambda _path: lines)
    assert mounts.unencrypted_swap() == ["/dev/sda2", "/swapfile"]


def test_every_run_shows_the_warnings(project: Project) -> None:
    (project.root / ".git").mkdir()
    assert "is in the git work tree" in project.run("lorchestra", "run").stderr
    assert "??  " in project.run("lorchestra", "validate").stdout
