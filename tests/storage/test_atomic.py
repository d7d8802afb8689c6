"""Several files are written completely or not at all, in order, private."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.storage import atomic


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_files_are_written_together(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with atomic.stage(tmp_path / "a", tmp_path / "new" / "b") as (a, b):
        a.write(b"1")
        b.write(b"2")
        assert contents(tmp_path / "new") != {"b": b"2"}
        assert (tmp_path / "a").read_bytes() == b"old"
        atomic.commit([a, b])
    assert contents(tmp_path / "new") == {"b": b"2"}
    assert (tmp_path / "a").read_bytes() == b"1"
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "new/b")}
    assert (modes, stat.S_IMODE((tmp_path / "new").stat().st_mode)) == ({0o600}, 0o700)


def test_a_failure_in_the_block_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(KeyError), atomic.stage(tmp_path / "a", tmp_path / "b") as (a, _):
        a.write(b"new")
        raise KeyError
    assert contents(tmp_path) == {"a": b"old"}


def test_an_optional_file_that_stays_empty_is_removed(tmp_path: Path) -> None:
    (tmp_path / "rejects").write_bytes(b"old")
    with atomic.stage(tmp_path / "rejects", tmp_path / "out", optional=[tmp_path / "rejects"]) as files:
        atomic.commit(files)
    assert contents(tmp_path) == {"out": b""}


@pytest.mark.parametrize("kind", ["directory", "link", "FIFO"])
def test_only_regular_files_are_replaced(tmp_path: Path, kind: str) -> None:
    make = {"directory": Path.mkdir, "link": lambda path: path.symlink_to("x"), "FIFO": os.mkfifo}
    make[kind](tmp_path / "a")
    with pytest.raises(Failure) as caught, atomic.stage(tmp_path / "b", tmp_path / "a"):
        pass
    assert caught.value.code is Code.USAGE
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_changes_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    script = """
import resource, signal, sys
from pathlib import Path
from lorchestra.storage import atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with atomic.stage(Path(sys.argv[1]) / "a", Path(sys.argv[1]) / "b") as (a, b):
    a.write(b"new")
    b.write(b"x" * 2000)
    atomic.commit([a, b])
"""
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True)
    assert "Failure" in ended.stderr
    assert contents(tmp_path) == {"a": b"old"}
