"""File systems and swap, as far as they can be determined: Linux lists them in /proc."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "fuse.rclone", "9p", "afs", "ceph", "davfs",
                      "glusterfs", "fuse.glusterfs", "lustre", "virtiofs"})  # fmt: skip
_ENCRYPTED = re.compile(r"/dev/(?:zram[0-9]+|dm-[0-9]+|mapper/.*)")
"""zram stays in memory; whether a device-mapper volume is encrypted is looked up in sysfs."""


class Mount(NamedTuple):
    """A mounted file system: its device or other source, its directory and its type."""

    source: str
    point: str
    kind: str


def mount_of(path: Path) -> Mount | None:
    """The file system that holds a path; None if the system does not tell."""
    best: Mount | None = None
    real = str(path.resolve())
    for fields in (line.split() for line in _lines("/proc/self/mounts")):
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = point == "/" or real == point or real.startswith(f"{point}/")
        if inside and (best is None or len(point) >= len(best.point)):
            best = Mount(fields[0], point, fields[2])
    return best


def network_file_system(path: Path) -> str | None:
    """The type of the network file system that holds a path; None if it is local or unknown."""
    mount = mount_of(path)
    return mount.kind if mount and is_network(mount.kind) else None


def is_network(kind: str) -> bool:
    """Whether a type of file system keeps its files on another machine."""
    return kind in _NETWORK


def unencrypted_swap() -> list[str]:
    """The swap areas that are not known to be encrypted: pages that hold records can be written there."""
    areas = [fields[0] for line in _lines("/proc/swaps")[1:] if (fields := line.split())]
    return [area for area in areas if not (_ENCRYPTED.fullmatch(area) and _is_private(area))]


def _is_private(area: str) -> bool:
    name = Path(area).resolve().name
    if name.startswith("zram"):
        return True
    try:
        return Path(f"/sys/block/{name}/dm/uuid").read_text("ascii").startswith("CRYPT-")
    except OSError:
        return False


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
