"""Files are private when they are created and written atomically, whatever the umask, the disk and signals do."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.storage import private


@pytest.fixture(autouse=True, params=[0o000, 0o022, 0o077], ids=["umask 000", "umask 022", "umask 077"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    old = os.umask(request.param)
    yield
    os.umask(old)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def child(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script of which `private` and `path` (the first argument) are a part."""
    head = "import os, signal, sys; from pathlib import Path; from lorchestra.storage import private\n"
    head += "path = Path(sys.argv[1])\n"
    return subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        # No measuring of coverage: these die in the middle. No caches: with umask 0, others could write them.
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_every_way_to_create_a_file_makes_it_private(tmp_path: Path) -> None:
    private.make_directory(tmp_path / "a" / "b")
    private.create(tmp_path / "a" / "b" / "created").close()
    os.close(private.append(tmp_path / "a" / "b" / "appended"))
    private.append_line(tmp_path / "a" / "b" / "lines", b"x")
    private.write(tmp_path / "a" / "b" / "written", b"x")
    private.unlock(private.lock(tmp_path / "a" / "b" / "lock"))
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b")] == [0o700, 0o700]
    assert {mode(path) for path in (tmp_path / "a" / "b").iterdir()} == {0o600}


def test_a_file_is_private_before_it_has_its_name(tmp_path: Path) -> None:
    with private.replacing(tmp_path / "x") as file:
        file.write(b"half")
        (temporary,) = tmp_path.iterdir()
        assert (mode(temporary), temporary.name.startswith(".")) == (0o600, True)
    assert names(tmp_path) == ["x"]


def test_an_open_file_becomes_private_when_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("open")
    (tmp_path / "x").chmod(0o666)
    private.write(tmp_path / "x", b"new")
    assert (mode(tmp_path / "x"), (tmp_path / "x").read_bytes()) == (0o600, b"new")


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    for make in (private.create, private.append, private.lock, lambda path: private.append_line(path, b"x")):
        with pytest.raises(OSError):
            make(tmp_path / "link")
    private.write(tmp_path / "link", b"mine")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "theirs").read_text() == "precious"


def test_a_file_is_created_once(tmp_path: Path) -> None:
    private.create(tmp_path / "x").close()
    with pytest.raises(FileExistsError):
        private.create(tmp_path / "x")


def test_an_existing_directory_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    private.make_directory(tmp_path / "open" / "inner")
    assert (mode(tmp_path / "open"), mode(tmp_path / "open" / "inner")) == (0o755, 0o700)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failing_block_keeps_the_old_content(tmp_path: Path, error: type[BaseException]) -> None:
    private.write(tmp_path / "x", b"old")
    with pytest.raises(error), private.replacing(tmp_path / "x") as file:
        file.write(b"new")
        raise error
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"old"


def test_two_writers_of_one_file_do_not_interfere(tmp_path: Path) -> None:
    with private.replacing(tmp_path / "x") as first:
        first.write(b"first")
        private.write(tmp_path / "x", b"second")
    assert (tmp_path / "x").read_bytes() == b"first"
    assert names(tmp_path) == ["x"]


def test_system_errors_become_failures_without_context(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        private.write(tmp_path / "nowhere" / "x", b"")
    assert caught.value.code is Code.MISSING
    assert caught.value.__suppress_context__
    (tmp_path / "directory").mkdir()
    with pytest.raises(Failure) as caught:
        private.write(tmp_path / "directory", b"")
    assert caught.value.code is Code.MISSING
    assert names(tmp_path) == ["directory"]


def test_a_full_disk_keeps_the_old_content_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    private.write(tmp_path / "x", b"old")
    done = child(
        """
        import resource
        from lorchestra.base.errors import Failure
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            private.write(path, b"n" * 200_000)
        except Failure as failure:
            print(failure.code, failure.exit.value, failure.retry, failure.message)
        """,
        tmp_path / "x",
    )
    assert done.stdout == f"no_space 6 False {tmp_path / 'x'}: file too large (EFBIG)\n", done.stderr
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_an_incomplete_line_is_an_error(tmp_path: Path) -> None:
    done = child(
        """
        import resource
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        private.append_line(path, b"12345")
        try:
            private.append_line(path, b"678901234")
        except OSError as error:
            print(error.errno)
        """,
        tmp_path / "x",
    )
    assert done.stdout == "28\n", done.stderr
    private.append_line(tmp_path / "x", b"next")
    assert (tmp_path / "x").read_bytes() == b"12345\n6789\nnext\n", "the torn line cost no other"


def test_kill_9_keeps_the_old_content_and_sweep_removes_the_temporary_file(tmp_path: Path) -> None:
    private.write(tmp_path / "x", b"old")
    done = child(
        """
        with private.replacing(path) as file:
            file.write(b"n" * 1_000_000)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        tmp_path / "x",
    )
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "x").read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    (tmp_path / ".hidden").write_text("not ours")
    (tmp_path / "x.tmp~").write_text("not ours")
    (tmp_path / ".directory.tmp~").mkdir()
    assert private.sweep(tmp_path) == 1
    assert names(tmp_path) == [".directory.tmp~", ".hidden", "x", "x.tmp~"]


def test_a_lock_has_one_holder_and_is_released_at_its_death(tmp_path: Path) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from lorchestra.storage import private\n"
            "private.lock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()",
            str(tmp_path / "lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        with pytest.raises(Failure) as caught:
            private.lock(tmp_path / "lock")
        assert (caught.value.code, caught.value.exit) == (Code.BUSY, 8)
        holder.kill()
        held = private.lock(tmp_path / "lock", wait=True)
    with pytest.raises(Failure):
        private.lock(tmp_path / "lock")
    private.unlock(held)
    private.unlock(private.lock(tmp_path / "lock"))
