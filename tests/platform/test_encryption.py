"""Encryption at rest is recognized from the devices below a file system; /sys is a copy here."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from lorchestra.platform import encryption, mounts
from lorchestra.platform.encryption import Encryption
from lorchestra.platform.mounts import Mount


class Devices:
    """A /sys with block devices. The file system of the test's directory is on the first device that is named."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.number = os.stat(root).st_dev

    def add(self, name: str, *below: str, uuid: str = "", partition: bool = False) -> None:
        device = self.root / "devices" / name
        (device / "slaves").mkdir(parents=True)
        for other in below:
            (device / "slaves" / Path(other).name).symlink_to(self.root / "devices" / other)
        if uuid:
            (device / "dm").mkdir()
            (device / "dm" / "uuid").write_text(f"{uuid}\n")
        if partition:
            (device / "partition").write_text("1\n")

    def mount(self, name: str) -> Encryption:
        block = self.root / "dev" / "block"
        block.mkdir(parents=True)
        (block / f"{os.major(self.number)}:{os.minor(self.number)}").symlink_to(self.root / "devices" / name)
        return encryption.at_rest(self.root / "phi" / "missing", self.root)


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Devices:
    monkeypatch.setattr(mounts, "mount_of", lambda path: Mount("/dev/x", "/", "ext4"))
    return Devices(tmp_path)


LUKS, LVM = "CRYPT-LUKS2-0123-luks", "LVM-abc"


def test_a_disk(devices: Devices) -> None:
    devices.add("sda")
    assert devices.mount("sda") == (False, "sda without dm-crypt")


def test_a_partition(devices: Devices) -> None:
    devices.add("sda")
    devices.add("sda/sda1", partition=True)
    assert devices.mount("sda/sda1") == (False, "sda without dm-crypt")


def test_luks(devices: Devices) -> None:
    devices.add("sda")
    devices.add("dm-0", "sda", uuid=LUKS)
    assert devices.mount("dm-0") == (True, "dm-crypt on dm-0")


def test_lvm_on_luks(devices: Devices) -> None:
    devices.add("sda")
    devices.add("dm-0", "sda", uuid=LUKS)
    devices.add("dm-1", "dm-0", uuid=LVM)
    assert devices.mount("dm-1") == (True, "dm-crypt on dm-0")


def test_lvm_without_luks(devices: Devices) -> None:
    devices.add("sda")
    devices.add("dm-1", "sda", uuid=LVM)
    assert devices.mount("dm-1") == (False, "sda without dm-crypt")


def test_lvm_over_an_encrypted_and_an_open_disk(devices: Devices) -> None:
    devices.add("sda")
    devices.add("sdb")
    devices.add("dm-0", "sda", uuid=LUKS)
    devices.add("dm-1", "dm-0", "sdb", uuid=LVM)
    assert devices.mount("dm-1") == (False, "sdb without dm-crypt")


def test_a_device_that_the_system_does_not_show(devices: Devices) -> None:
    assert encryption.at_rest(devices.root, devices.root) == (None, "ext4: its disk is not known")


@pytest.mark.parametrize(
    ("kind", "encrypted"), [("fuse.gocryptfs", True), ("ecryptfs", True), ("tmpfs", None), ("nfs4", None)]
)
def test_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, encrypted: bool | None) -> None:
    monkeypatch.setattr(mounts, "mount_of", lambda path: Mount("x", "/", kind))
    found = encryption.at_rest(tmp_path, tmp_path)
    assert (found.encrypted, kind in found.how) == (encrypted, True)


def test_fscrypt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "ioctl", lambda *_: b"\0\x08\0\0\0\0\0\0")
    assert encryption.at_rest(tmp_path, tmp_path) == (True, "fscrypt")


def test_this_machine_gives_an_answer() -> None:
    assert encryption.at_rest(Path("/nonexistent/phi")).how
