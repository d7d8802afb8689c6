"""Where the bundled registry of transforms is: inside an installed package, or at the top of a clone."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def registry() -> Path:
    """The directory of the bundled registry. A wheel holds it as package data; see wheel_backend.py."""
    installed = _PACKAGE / "transforms"
    return installed if installed.is_dir() else _PACKAGE.parent / "transforms"


def default() -> Path:
    """The registry that a command reads when none is named: `./transforms`, otherwise the bundled one."""
    own = Path("transforms")
    return own if own.is_dir() else registry()
