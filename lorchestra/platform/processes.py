"""Processes of this machine."""

from __future__ import annotations

from pathlib import Path


def has_open(process: int, path: Path) -> bool:
    """Whether a process has a file open. False if unknown: only Linux lists descriptors in /proc."""
    name = path.resolve()
    try:
        return any(link.readlink() == name for link in Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return False


def boot_id() -> bytes:
    """An identifier that changes at every boot; empty if the system does not provide one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return b""
