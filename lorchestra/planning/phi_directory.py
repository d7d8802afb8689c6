"""Which directory may be the PHI directory. It becomes private, so nothing else may depend on it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_SYSTEM = frozenset(
    {"/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run",
     "/sbin", "/srv", "/sys", "/usr", "/var", "/Applications", "/Library", "/System", "/Users", "/Volumes", "/private"}
)  # fmt: skip
_HOMES = frozenset({"/home", "/Users"})
_USE = "use a directory of its own, such as phi-data"


def refusal(directory: Path, project: Path) -> str:
    """Why a directory cannot be the PHI directory of the project; empty if it can."""
    real = Path(os.path.realpath(directory))
    if real == Path("/"):
        return f"is the root directory: {_USE}"
    home = Path(os.path.realpath(Path.home()))
    if real == home or home.is_relative_to(real) or str(real.parent) in _HOMES:
        return f"is a home directory, or contains one: {_USE}"
    if str(real) in _SYSTEM:
        return f"is a directory of the system: {_USE}"
    if Path(os.path.realpath(project)).is_relative_to(real):
        return f"contains pipeline.yaml: {_USE}"
    if _is_sticky(real):
        return f"is shared with other users: {_USE}"
    return ""


def _is_sticky(directory: Path) -> bool:
    try:
        mode = directory.stat().st_mode
    except OSError:
        return False
    return bool(mode & stat.S_ISVTX and mode & 0o002)
