"""Who else can change files that are trusted."""

from __future__ import annotations

from pathlib import Path

from lorchestra.storage import trust


def test_the_lock_of_a_virtual_environment_may_be_writable_and_nothing_else(tmp_path: Path) -> None:
    """uv creates it with mode 0666 in every environment that `meltano install` makes."""
    venv = tmp_path / "venv"
    venv.mkdir(mode=0o755)
    for name in (".lock", "run.py"):
        (venv / name).touch()
        (venv / name).chmod(0o666)
    (exposure,) = trust.examine_tree(tmp_path)
    assert "1 entry is writable by others" in str(exposure)
    (venv / "run.py").chmod(0o644)
    assert list(trust.examine_tree(tmp_path)) == []
    (venv / ".lock").unlink()
    (venv / ".lock").mkdir()
    (venv / ".lock").chmod(0o777)
    assert len(list(trust.examine_tree(tmp_path))) == 1
