"""The build backend: flit_core, and the bundled registry as package data.

`transforms/` is at the top of the repository, where people edit it. A wheel holds a copy of it as
`lorchestra/transforms/`. flit_core includes the files of one directory only and follows no links; therefore the wheel
is built from a temporary copy of the source tree.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flit_core import buildapi

build_sdist = buildapi.build_sdist
build_editable = buildapi.build_editable  # a clone reads `transforms/` in place

_NEEDED = ("pyproject.toml", "README.md", "LICENSE")


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """Build a wheel; see PEP 517. Returns the file's name."""
    target = str(Path(wheel_directory).absolute())
    with _source_tree():
        name: str = buildapi.build_wheel(target, config_settings, metadata_directory)
    return name


@contextmanager
def _source_tree() -> Iterator[None]:
    """Change to a temporary copy of what the wheel consists of, with the registry inside the package."""
    source = Path.cwd()
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        for name in _NEEDED:
            shutil.copy2(source / name, copy / name)
        shutil.copytree(source / "lorchestra", copy / "lorchestra", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(source / "transforms", copy / "lorchestra" / "transforms")
        os.chdir(copy)
        try:
            yield
        finally:
            os.chdir(source)
