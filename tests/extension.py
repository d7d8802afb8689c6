"""Another package with an extension, as pip would install it."""

from __future__ import annotations

from pathlib import Path


def install(directory: Path, group: str, name: str, source: str) -> dict[str, str]:
    """Install a module `extension` whose `create` is registered as `name`; return the environment that finds it."""
    info = directory / "extension-1.0.dist-info"
    info.mkdir(parents=True, mode=0o700)
    directory.chmod(0o700)
    (directory / "extension.py").write_text(source)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extension\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = extension:create\n")
    return {"PYTHONPATH": str(directory)}
