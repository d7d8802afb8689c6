"""The permission check: each exposure is reported with the command that closes it, and nothing is run."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lorchestra import phi
from lorchestra.base.errors import Code, Exit, Failure
from lorchestra.platform import acl
from lorchestra.storage import trust
from lorchestra.storage.trust import Exposure
from tests.harness import Project

NOBODY = 65534
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    old = os.umask(0o022)
    trust._is_own_group.cache_clear()
    yield
    trust._is_own_group.cache_clear()
    os.umask(old)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "phi data"
    path.mkdir(mode=0o700)
    return path


def refused(*directories: Path, content: Path | None = None) -> str:
    """The messages of a refusal."""
    with pytest.raises(Failure) as caught:
        phi.require(directories, [content] if content else [])
    assert (caught.value.code, caught.value.exit) == (Code.INSECURE, Exit.PERMISSION)
    return caught.value.message


def repair(sentences: str) -> None:
    """Run the commands that the messages show."""
    for sentence in sentences.splitlines():
        command = sentence.partition(" Run: ")[2]
        assert command, f"{sentence} shows no command"
        subprocess.run(command, shell=True, check=True, timeout=10)


def with_acl(path: Path, kind: str, *entries: tuple[int, int, int]) -> None:
    """Set a POSIX ACL of (tag, permissions, id) entries, as setfacl does."""
    acl = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, bits, who & 0xFFFFFFFF) for tag, bits, who in entries
    )
    try:
        os.setxattr(path, f"system.posix_acl_{kind}", acl)
    except OSError as error:
        pytest.skip(f"no ACLs on this file system: {error.errno}")


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_missing_directories_are_created_private(tmp_path: Path, mask: int) -> None:
    os.umask(mask)
    phi.require([tmp_path / "phi", tmp_path / "phi" / "raw", tmp_path / "a" / "b"])
    made = [tmp_path / name for name in ("phi", "phi/raw", "a", "a/b")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}


def test_checking_creates_nothing(tmp_path: Path) -> None:
    phi.require([tmp_path / "phi"], make=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o777, 0o500, 0o600, 0o000, 0o2755])
def test_another_mode_is_refused_and_the_command_shown_fixes_it(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    said = refused(directory)
    assert said == (
        f"PHI directory {directory} has insecure permissions {mode:#o}. Expected 0o700. Run: chmod 700 '{directory}'"
    )
    repair(said)
    phi.require([directory])


@pytest.mark.parametrize("mode", [0o700, 0o2700, 0o1700])
def test_bits_that_give_no_access_are_accepted(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    phi.require([directory])


def test_all_exposures_are_reported_at_once_and_nothing_is_created(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir(mode=0o755)
    said = refused(tmp_path / "one", tmp_path / "two", tmp_path / "three", tmp_path / "one")
    assert len(said.splitlines()) == 2
    assert not (tmp_path / "three").exists()


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_refused_even_to_a_private_directory(tmp_path: Path, directory: Path, dangling: bool) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere" if dangling else directory)
    assert refused(link).startswith(f"PHI directory {link} is a link. ")


def test_a_file_instead_of_the_directory_is_refused_and_the_command_moves_it(tmp_path: Path) -> None:
    (tmp_path / "phi").write_text("what is this")
    repair(refused(tmp_path / "phi"))
    phi.require([tmp_path / "phi"])
    assert (tmp_path / "phi.moved").read_text() == "what is this"


def test_a_directory_below_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((Failure, NotADirectoryError)):
        phi.require([tmp_path / "file" / "phi"])


@root
def test_a_directory_of_another_user_is_refused(directory: Path) -> None:
    os.chown(directory, NOBODY, NOBODY)
    assert refused(directory).startswith(f"PHI directory {directory} belongs to another user.")


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o722])
def test_an_ancestor_that_others_can_change_is_refused_and_the_command_fixes_it(directory: Path, mode: int) -> None:
    directory.parent.chmod(mode)
    said = refused(directory)
    assert said.startswith(f"{directory.parent} can be changed by others.")
    repair(said)
    phi.require([directory])


def test_a_sticky_ancestor_is_accepted(directory: Path) -> None:
    directory.parent.chmod(0o1777)
    phi.require([directory])


@root
def test_an_ancestor_of_another_user_is_refused_even_when_sticky(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "phi").mkdir(parents=True)
    (tmp_path / "theirs" / "phi").chmod(0o700)
    for mode in (0o755, 0o1777):
        (tmp_path / "theirs").chmod(mode)
        os.chown(tmp_path / "theirs", NOBODY, NOBODY)
        assert "belongs to another user. Move it below your own home directory." in refused(tmp_path / "theirs" / "phi")


@pytest.mark.parametrize("chain", [1, 3])
def test_a_link_in_the_path_that_others_can_replace_is_refused(tmp_path: Path, directory: Path, chain: int) -> None:
    """realpath sees a safe path only: what leads there can be turned elsewhere between two runs."""
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "0").symlink_to(f"../{directory.name}")
    for number in range(1, chain):
        (tmp_path / f"{number}").symlink_to("public/0" if number == 1 else f"{number - 1}")
    way = tmp_path / "public" / "0" if chain == 1 else tmp_path / f"{chain - 1}"
    phi.require([way / "raw"])
    (tmp_path / "public").chmod(0o777)
    assert f"{tmp_path / 'public'} can be changed by others" in refused(way / "raw")


@root
def test_a_link_of_another_user_in_the_path_is_refused(tmp_path: Path, directory: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(directory)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    assert refused(link / "raw").startswith(f"{link} belongs to another user.")


class Groups:
    """Who is in the groups of the tests: the machine's own tables name whom they like."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, name: str, members: list[str], primary: list[str]) -> None:
        import grp
        import pwd

        me = pwd.struct_passwd(("me", "x", os.geteuid(), os.getegid(), "", "/", "/bin/sh"))
        others = [pwd.struct_passwd((who, "x", 4242, os.getegid(), "", "/", "/bin/sh")) for who in primary]
        trust._is_own_group.cache_clear()
        monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group((name, "x", gid, members)))
        monkeypatch.setattr(pwd, "getpwuid", lambda uid: me)
        monkeypatch.setattr(pwd, "getpwall", lambda: [me, *others])


@pytest.mark.parametrize(
    ("name", "members", "primary", "fine"),
    [
        ("me", [], [], True),
        ("me", ["me"], [], True),
        ("staff", [], [], os.geteuid() == 0),
        ("staff", ["eve"], [], False),
        ("me", ["me", "eve"], [], False),
        ("me", [], ["eve"], False),
    ],
)
def test_a_private_group_may_write_to_ancestors(
    directory: Path, monkeypatch: pytest.MonkeyPatch, name: str, members: list[str], primary: list[str], fine: bool
) -> None:
    """With umask 002 and a group a user, as many distributions have it, every home directory is group-writable."""
    Groups(monkeypatch, name=name, members=members, primary=primary)
    directory.parent.chmod(0o775)
    if fine:
        phi.require([directory])
    else:
        assert "can be changed by others" in refused(directory)


def test_an_unknown_group_is_not_private(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp

    def unknown(gid: int) -> None:
        raise KeyError(gid)

    trust._is_own_group.cache_clear()
    monkeypatch.setattr(grp, "getgrgid", unknown)
    directory.parent.chmod(0o775)
    assert "can be changed by others" in refused(directory)


def test_an_acl_of_an_ancestor_is_not_mistaken_for_a_private_group(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group's bits of the mode then show the mask: what the users that the ACL names may do at most."""
    Groups(monkeypatch, name="me", members=[], primary=[])
    with_acl(directory.parent, "access", (1, 7, -1), (2, 7, NOBODY), (4, 0, -1), (0x10, 7, -1), (0x20, 0, -1))
    said = refused(directory)
    assert "can be changed by others" in said
    repair(said)
    phi.require([directory])


def test_a_default_acl_is_refused(directory: Path) -> None:
    with_acl(directory, "default", (1, 7, -1), (4, 5, -1), (0x20, 5, -1))
    said = refused(directory)
    assert said.endswith(f"has a default ACL that opens new files. Run: setfacl -k '{directory}'")
    if shutil.which("setfacl"):
        repair(said)
    else:
        os.removexattr(directory, "system.posix_acl_default")
    phi.require([directory])


def test_an_inherited_default_acl_of_a_new_directory_is_found(directory: Path) -> None:
    with_acl(directory.parent, "default", (1, 7, -1), (4, 5, -1), (0x20, 5, -1))
    assert "has a default ACL" in refused(directory.parent / "new")


def test_other_system_errors_are_not_ignored(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "getxattr", broken)
    assert acl.supported()
    with pytest.raises(PermissionError):
        phi.require([directory])


def test_open_files_and_directories_inside_are_counted_and_the_command_fixes_them(directory: Path) -> None:
    (directory / "Jane-Doe.jsonl").touch()
    (directory / "inner").mkdir(mode=0o755)
    (directory / "fine").touch(mode=0o600)
    said = refused(directory, content=directory)
    assert said.startswith(f"PHI directory {directory}: 2 entries are open to others.")
    assert "Jane" not in said, "a file's name may be anything"
    repair(said)
    phi.require([directory], [directory])


@root
def test_foreign_files_and_links_inside_are_counted_and_the_command_lists_them(directory: Path) -> None:
    (directory / "theirs").touch(mode=0o600)
    os.chown(directory / "theirs", NOBODY, NOBODY)
    said = refused(content=directory)
    assert said.startswith(f"PHI directory {directory}: 1 entry is owned by another user.")
    (directory / "link").symlink_to("/etc/passwd")
    (directory / "mine").touch(mode=0o600)
    os.mkfifo(directory / "fifo", 0o600)
    said = refused(content=directory)
    listed = set()
    for line in said.splitlines():
        command = line.partition("run: ")[2]
        found = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
        listed |= {Path(path).name for path in found.splitlines()}
    assert listed == {"theirs", "link", "fifo"}


@pytest.mark.parametrize("name", ["with space", "quote'd", "$(touch owned)", "-rf", "; rm x", "é"])
def test_commands_are_quoted_for_every_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir(mode=0o755)
    repair(refused(tmp_path / name))
    phi.require([tmp_path / name])
    assert [path.name for path in tmp_path.iterdir()] == [name]


@root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
@pytest.mark.parametrize("own", [True, False])
def test_as_an_ordinary_user(tmp_path: Path, own: bool) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for ancestor in [home, *home.parents]:
        if ancestor.stat().st_mode & 0o005 != 0o005:
            if not ancestor.is_relative_to(tmp_path.parent.parent):
                pytest.skip("the temporary directory is closed to others")
            ancestor.chmod(0o755)
    (home / "phi").mkdir(mode=0o700)
    if own:
        os.chown(home, NOBODY, NOBODY)
        os.chown(home / "phi", NOBODY, NOBODY)
    script = """
import sys; from pathlib import Path; from lorchestra import phi; from lorchestra.base import program
sys.exit(program.run("prog", lambda: phi.require([Path(sys.argv[1]), Path(sys.argv[1]) / "raw"]) or 0))
"""
    command = [
        "setpriv",
        "--reuid",
        str(NOBODY),
        "--regid",
        str(NOBODY),
        "--clear-groups",
        sys.executable,
        "-c",
        script,
    ]
    source = str(Path(phi.__file__).parents[1])
    done = subprocess.run(
        [*command, str(home / "phi")], capture_output=True, text=True, timeout=30, cwd="/", env={"PYTHONPATH": source}
    )
    if "Permission denied" in done.stderr and "prog:" not in done.stderr:
        pytest.skip("this interpreter is closed to others")
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if own else 5), done.stderr
    assert own or f"PHI directory {home / 'phi'} belongs to another user." in done.stderr


def test_paths_are_quoted_for_the_shell() -> None:
    assert str(Exposure("A.", command=("chmod", "700", "/a b"))) == f"A. Run: chmod 700 {shlex.quote('/a b')}"


@pytest.mark.parametrize("verb", [["run"], ["run", "--dry-run"], ["status"], ["validate"], ["clean", "--yes"]])
def test_a_configuration_that_others_can_write_is_refused(project: Project, verb: list[str]) -> None:
    """Whoever writes it chooses the programs that are given the PHI."""
    configuration = project.root / "pipeline.yaml"
    configuration.chmod(0o666)
    ended = project.run("lorchestra", *verb, status=5)
    assert "can be changed by others. Run: chmod go-w" in ended.stdout + ended.stderr
    configuration.chmod(0o644)
    project.run("lorchestra", *verb)
