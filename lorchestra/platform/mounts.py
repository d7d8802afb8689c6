"""File systems and swap, as far as they can be determined: Linux lists them in /proc."""

from __future__ import annotations

import re
from pathlib import Path

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "fuse.rclone", "9p", "afs", "ceph", "davfs",
                      "glusterfs", "fuse.glusterfs", "lustre", "virtiofs"})  # fmt: skip
_ENCRYPTED = re.compile(r"/dev/(?:zram[0-9]+|dm-[0-9]+|mapper/.*)")
"""zram stays in memory; whether a device-mapper volume is encrypted is looked up in sysfs."""


def network_file_system(path: Path) -> str | None:
    """The type of the network file system that holds a path; None if it is local or unknown."""
    best, kind = "", None
    real = str(path.resolve())
    for line in _lines("/proc/self/mounts"):
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = point == "/" or real == point or real.startswith(f"{point}/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind if kind in _NETWORK else None


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
