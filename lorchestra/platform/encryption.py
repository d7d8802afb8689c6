"""Whether files are encrypted at rest, as far as Linux tells: dm-crypt (LUKS), fscrypt, and encrypting file systems."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lorchestra.platform import mounts

_GETFLAGS = 0x80086601  # FS_IOC_GETFLAGS of a 64-bit system (linux/fs.h)
_ENCRYPTED_FLAG = 0x00000800  # FS_ENCRYPT_FL
_ENCRYPTING = frozenset({"ecryptfs", "fuse.gocryptfs", "fuse.encfs", "fuse.cryfs", "fuse.securefs"})
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_DEEPEST = 10


class Encryption(NamedTuple):
    """`encrypted` is None if it is unknown. `how` says what was found, without an article: `dm-crypt on dm-0`."""

    encrypted: bool | None
    how: str


def at_rest(path: Path, sysfs: Path = Path("/sys")) -> Encryption:
    """Whether a file or directory, or the nearest directory above it that exists, is encrypted on its disk."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    if _has_policy(existing):
        return Encryption(True, "fscrypt")
    mount = mounts.mount_of(existing)
    kind = mount.kind if mount else ""
    if kind in _ENCRYPTING:
        return Encryption(True, kind)
    if kind in _IN_MEMORY:
        return Encryption(None, f"{kind}, which is in memory and may be written to swap")
    if mount and mounts.is_network(kind):
        return Encryption(None, f"{kind}: the server decides")
    device = sysfs / "dev" / "block" / _number(os.stat(existing).st_dev)
    if not device.exists() and mount and mount.source.startswith("/dev/"):  # btrfs gives its files another number
        with contextlib.suppress(OSError):
            device = sysfs / "dev" / "block" / _number(os.stat(mount.source).st_rdev)
    if not device.exists():
        return Encryption(None, f"{kind or 'this file system'}: its disk is not known")
    return _of_device(device.resolve(), sysfs)


def _of_device(device: Path, sysfs: Path) -> Encryption:
    """A device is encrypted if it, or every device that it is made of, is."""
    ends = list(_ends(device, sysfs))
    open_ends = sorted({end for end, encrypted in ends if not encrypted})
    if open_ends:
        return Encryption(False, f"{', '.join(open_ends)} without dm-crypt")
    return Encryption(True, f"dm-crypt on {', '.join(sorted({end for end, _ in ends}))}")


def _ends(device: Path, sysfs: Path, depth: int = 0) -> Iterator[tuple[str, bool]]:
    """The dm-crypt devices and disks below a device: LVM, RAID and loop devices are made of others."""
    if _text(device / "dm" / "uuid").startswith("CRYPT-"):
        yield device.name, True
        return
    if (device / "partition").exists():
        device = device.parent
    below = [entry.resolve() for entry in _entries(device / "slaves")]
    if backing := _text(device / "loop" / "backing_file"):
        with contextlib.suppress(OSError):
            number = _number(os.stat(backing).st_dev)
            below.append((sysfs / "dev" / "block" / number).resolve())
    if not below or depth == _DEEPEST:
        yield device.name, False
    for inner in below if depth < _DEEPEST else ():
        yield from _ends(inner, sysfs, depth + 1)


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _number(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"


def _has_policy(path: Path) -> bool:
    """Whether fscrypt encrypts a file or directory (ext4, F2FS, UBIFS)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        answer = fcntl.ioctl(descriptor, _GETFLAGS, bytes(8))
        return bool(struct.unpack("<I", answer[:4])[0] & _ENCRYPTED_FLAG)
    except OSError:  # a file system without flags
        return False
    finally:
        os.close(descriptor)
