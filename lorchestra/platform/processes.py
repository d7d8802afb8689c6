"""Processes of this machine."""

from __future__ import annotations

from pathlib import Path


def has_open(process: int, path: Path) -> bool:
    """Whether a process has a file open. False if the system does not tell: only Linux lists descriptors in /proc."""
    name = path.resolve()
    try:
        return any(link.readlink() == name for link in Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return False


def boot_id() -> bytes:
    """A text that differs after every start of the machine; empty if the system does not provide one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return b""
