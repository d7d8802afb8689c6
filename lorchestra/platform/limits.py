"""Limits of a process, and the processors it may use. A limit that the system does not support is not set."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import resource
except ImportError:  # no POSIX limits at all
    resource = None  # type: ignore[assignment]


def forbid_core_files() -> bool:
    """Disable core files, which would contain records. Return whether the system supports it."""
    if not hasattr(resource, "RLIMIT_CORE"):
        return False
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    return True


def limit_memory(extra_bytes: int) -> bool:
    """Let this process allocate `extra_bytes` more than it uses now. Return whether the system supports it.

    macOS accepts RLIMIT_DATA and ignores it; only Linux reports how much is used (VmData).
    """
    used = _data_bytes()
    if used is None or not hasattr(resource, "RLIMIT_DATA"):
        return False
    limit = used + extra_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))
    return True


def processors() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _data_bytes() -> int | None:
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmData:")), None)
    return int(line.split()[1]) * 1024 if line else None
