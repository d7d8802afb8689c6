"""Insecure and harmless arrangements of files, checked as an ordinary user; and a race against pipeline.yaml."""

from __future__ import annotations

import contextlib
import grp  # noqa: F401 - for the ordinary user, who may be unable to read this interpreter's library
import os
import pwd  # noqa: F401
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lorchestra import phi
from lorchestra.base.errors import Code, Failure
from lorchestra.base.program import place
from lorchestra.planning import config, preflight, trusted_files
from lorchestra.storage import private, trust
from tests.harness import Project

ROOT = os.geteuid() == 0
ME = 65534 if ROOT else os.geteuid()
EVE = 65533
Arrange = Callable[[Path], object]

PIPELINE = """
pipeline: {name: test}
stages:
  extract:
    output_dir: phi-data/raw
    sources:
      gmail-messages-a: {type: command, command: [./fetch, ./library.py], cwd: tools}
      contacts-dataverse: {type: files, inbox: transfer/inbox}
      mail: {type: meltano, repo_path: meltano, loader: target-jsonl}
  canonize:
    output_dir: phi-data/canonical
    registry: transforms
    command: [./tools/can]
    mappings: [{source_pattern: "*gmail*.jsonl", transform: email/gmail_to_canonical_v1}]
  index:
    output_dir: phi-data/store
    config: store.yaml
"""
FILES = (
    "phi-data/raw/gmail-messages-a-20251110.jsonl",
    "phi-data/raw/older/gmail-messages-a-20251109.jsonl",
    "phi-data/canonical/email-20251110.jsonl",
    "phi-data/canonical/rejects/email-20251110.jsonl",
    "phi-data/canonical/lineage/email-20251110.json",
    "phi-data/store/objects/AA/BC/email_AABC.json",
    "phi-data/store/registry/email.json",
    "phi-data/store/metadata.db",
    "phi-data/.work/lock",
    "phi-data/.work/tasks.json",
    "phi-data/.work/logs/canonizer.log",
    "phi-data/.work/staging/gmail-messages-a/1/a.jsonl",
    "logs/state.json",
    "logs/runs.jsonl",
)


def shared_directory() -> Path:
    """A directory for temporary files that every user may enter and in which nobody can replace what is ours.

    Preferably in memory: thousands of files are created and removed. Programs must be executable there.
    """
    for candidate in map(Path, ("/dev/shm", tempfile.gettempdir(), "/tmp", "/var/tmp")):
        if not candidate.is_dir() or os.statvfs(candidate).f_flag & os.ST_NOEXEC:
            continue
        steps = list(trust.steps(candidate))
        open_to_all = all(step.status.st_mode & 0o001 for step in steps)
        if open_to_all and not any(map(list, map(trust.examine_step, steps))):
            return candidate
    pytest.skip("no directory for temporary files is open to all users and safe")


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A project of an ordinary user, in a directory that every user may enter."""
    base = Path(tempfile.mkdtemp(prefix="lorchestra-", dir=shared_directory()))
    base.chmod(0o755)
    umask = os.umask(0o022)
    project = Project(base / "template", PIPELINE).root
    shutil.rmtree(project / "transforms")  # a hundred arrangements are made of copies of this project
    for name in (SPEC, META, "transforms/schemas/a"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    for program in ("tools/can", "tools/fetch", "tools/library.py", "store.yaml", "Makefile"):
        (project / program).parent.mkdir(exist_ok=True)
        (project / program).write_text("#!/bin/sh\n" if "tools" in program else "")
        (project / program).chmod(0o755 if "tools" in program else 0o644)
    (project / "transfer" / "inbox").mkdir(parents=True)
    (project / "meltano" / "plugins").mkdir(parents=True)
    for name in ("meltano.yml", ".env", "plugins/tap"):
        (project / "meltano" / name).touch()
    os.umask(0o077)
    for name in FILES:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    os.umask(umask)
    # Imports what the ordinary user cannot.
    snapshot = preflight.snapshot(project / "pipeline.yaml")
    private.unlock(preflight.lock(snapshot))
    trusted_files.require_installation(snapshot.config)
    yield project
    shutil.rmtree(base)


@pytest.fixture
def arranged(template: Path) -> Iterator[Path]:
    """A copy of it below two directories that belong to the same user."""
    home = Path(tempfile.mkdtemp(prefix="home-", dir=template.parent))
    (home / "above").mkdir()
    for path in (home, home / "above"):
        path.chmod(0o755)
    shutil.copytree(template, home / "above" / "project", symlinks=True)
    if ROOT:
        for path in (home, *home.rglob("*")):
            os.lchown(path, ME, ME)
    yield home / "above" / "project"
    shutil.rmtree(home)


def mode(path: str, bits: int) -> Arrange:
    return lambda p: (p / path).chmod(bits)


def owner(path: str, who: int = EVE) -> Arrange:
    return lambda p: os.lchown(p / path, who, who)


def group(path: str, bits: int) -> Arrange:
    def arrange(p: Path) -> None:
        os.chown(p / path, -1, EVE)
        (p / path).chmod(bits)

    return arrange


def file(path: str, bits: int = 0o600, who: int = ME) -> Arrange:
    def arrange(p: Path) -> None:
        (p / path).touch()
        (p / path).chmod(bits)
        os.chown(p / path, who, who)

    return arrange


def directory(path: str, bits: int = 0o700) -> Arrange:
    def arrange(p: Path) -> None:
        (p / path).mkdir()
        (p / path).chmod(bits)
        os.chown(p / path, ME, ME)

    return arrange


def own(path: Path) -> None:
    os.lchown(path, ME, ME)


def link(path: str, *, through: int = 0o755) -> Arrange:
    """Move a file or directory to a directory with this mode, and link to it."""

    def arrange(p: Path) -> None:
        other = p.parent / "other"
        other.mkdir()
        (p / path).rename(other / "target")
        (p / path).symlink_to(other / "target")
        own(other)
        own(p / path)
        other.chmod(through)

    return arrange


def hard_link(path: str) -> Arrange:
    return lambda p: os.link(p / path, p.parent / "second-name")


def special(path: str, kind: str) -> Arrange:
    def arrange(p: Path) -> None:
        if kind == "FIFO":
            os.mkfifo(p / path, 0o600)
        elif kind == "device":
            os.mknod(p / path, 0o020600, os.makedev(1, 3))
        elif kind == "link":
            (p / path).symlink_to("/etc/passwd")
        else:
            with socket.socket(socket.AF_UNIX) as listener:
                here = Path.cwd()
                os.chdir((p / path).parent)  # a socket's path may have 107 bytes only
                listener.bind((p / path).name)
                os.chdir(here)
            (p / path).chmod(0o600)
        own(p / path)

    return arrange


def acl(path: str, kind: str, bits: int = 7) -> Arrange:
    """An ACL that gives another user rights, as `setfacl -m u:eve:rwx` does."""

    def arrange(p: Path) -> None:
        entries = ((1, 7, -1), (2, bits, EVE), (4, 0, -1), (0x10, bits, -1), (0x20, 0, -1))
        packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", t, b, w & 0xFFFFFFFF) for t, b, w in entries)
        try:
            os.setxattr(p / path, f"system.posix_acl_{kind}", packed)
        except OSError:
            pytest.skip("this file system has no ACLs")

    return arrange


def setting(*replacements: str) -> Arrange:
    def arrange(p: Path) -> None:
        text = (p / "pipeline.yaml").read_text()
        for old, new in zip(replacements[::2], replacements[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        (p / "pipeline.yaml").write_text(text)

    return arrange


SPEC = "transforms/email/gmail_to_canonical_v1.jsonata"
META = "transforms/email/gmail_to_canonical_v1.meta.yaml"
RAW, OBJECT = "phi-data/raw/gmail-messages-a-20251110.jsonl", "phi-data/store/objects/AA/BC/email_AABC.json"
PHI = ("phi-data", "phi-data/raw", "phi-data/canonical", "phi-data/store", "phi-data/.work")

INSECURE: dict[str, Arrange] = {
    "pipeline.yaml, writable by all": mode("pipeline.yaml", 0o666),
    "pipeline.yaml, writable by others only": mode("pipeline.yaml", 0o602),
    "pipeline.yaml, writable by a shared group": group("pipeline.yaml", 0o664),
    "pipeline.yaml of another user": owner("pipeline.yaml"),
    "pipeline.yaml, a link": link("pipeline.yaml"),
    "pipeline.yaml, a link into an open directory": link("pipeline.yaml", through=0o777),
    "pipeline.yaml, writable through an ACL": acl("pipeline.yaml", "access", 6),
    "project directory, writable by all": mode("", 0o777),
    "project directory, sticky": mode("", 0o1777),
    "project directory of another user": owner(""),
    "project directory, writable by a shared group": group("", 0o775),
    "project directory, writable through an ACL": acl("", "access"),
    "project directory, a link": link(""),
    "directory above the project, writable by all": mode("..", 0o777),
    "directory above the project of another user": owner(".."),
    "top directory, writable by all": mode("../..", 0o777),
    "dodo.py, writable by all": mode("dodo.py", 0o666),
    "dodo.py of another user": owner("dodo.py"),
    "dodo.py, a link into an open directory": link("dodo.py", through=0o777),
    "pyproject.toml, writable by all": mode("pyproject.toml", 0o666),
    "doit.cfg of another user": file("doit.cfg", 0o644, EVE),
    "Makefile, writable by all": mode("Makefile", 0o666),
    "registry, writable by all": mode("transforms", 0o777),
    "registry, sticky": mode("transforms", 0o1777),
    "registry of another user": owner("transforms"),
    "registry, a link into an open directory": link("transforms", through=0o777),
    "directory in the registry, writable by all": mode("transforms/email", 0o777),
    "directory in the registry, sticky": mode("transforms/email", 0o1777),
    "spec, writable by all": mode(SPEC, 0o666),
    "spec of another user": owner(SPEC),
    "metadata, writable by all": mode(META, 0o666),
    "directory of schemas, writable by all": mode("transforms/schemas", 0o777),
    "program, writable by all": mode("tools/can", 0o777),
    "program of another user": owner("tools/can"),
    "directory of programs, writable by all": mode("tools", 0o777),
    "program, a link into an open directory": link("tools/can", through=0o777),
    "source's program, writable by all": mode("tools/fetch", 0o777),
    "script of a command, writable by all": mode("tools/library.py", 0o666),
    "the store's configuration, writable by all": mode("store.yaml", 0o666),
    "inbox, writable by all": mode("transfer/inbox", 0o777),
    "inbox of another user": owner("transfer/inbox"),
    "directory above the inbox, writable by all": mode("transfer", 0o777),
    "inbox, a link into an open directory": link("transfer/inbox", through=0o777),
    "Meltano project, writable by all": mode("meltano", 0o777),
    "meltano.yml of another user": owner("meltano/meltano.yml"),
    "secrets of the Meltano project, writable by all": mode("meltano/.env", 0o666),
    "plugin of the Meltano project, writable by all": mode("meltano/plugins/tap", 0o777),
    "logs, writable by all": mode("logs", 0o777),
    "logs, sticky": mode("logs", 0o1777),
    "logs of another user": owner("logs"),
    "logs, a link into an open directory": link("logs", through=0o777),
    "state.json, writable by all": mode("logs/state.json", 0o666),
    "state.json of another user": owner("logs/state.json"),
    "state.json, readable in logs that others may enter": lambda p: (
        mode("logs", 0o755)(p), mode("logs/state.json", 0o644)(p)
    ),
    "runs.jsonl with a second hard link": hard_link("logs/runs.jsonl"),
    "FIFO in logs": special("logs/pipeline-20251110.log", "FIFO"),
    **{f"{name}, readable by all": mode(name, 0o755) for name in PHI},
    **{f"{name}, searchable by all": mode(name, 0o711) for name in PHI[:2]},
    **{f"{name} with a default ACL": acl(name, "default", 5) for name in PHI},
    **{f"{name} of another user": owner(name) for name in PHI[:1]},
    **{f"{name}, a link": link(name) for name in (PHI[0], PHI[1], PHI[4])},
    "phi-data in an open directory": setting(
        "pipeline:", "security: {phi_directory: ../../open/phi-data}\npipeline:", "phi-data/", "../../open/phi-data/"
    ),
    "raw file, readable by all": mode(RAW, 0o644),
    "raw file, readable by its group": mode(RAW, 0o640),
    "raw file of another user": owner(RAW),
    "raw file with a second hard link": hard_link(RAW),
    "hidden raw file, readable by all": file("phi-data/raw/.hidden", 0o644),
    "hidden directory of raw files, open": directory("phi-data/raw/.hidden", 0o755),
    "raw file in a directory, readable by all": mode("phi-data/raw/older/gmail-messages-a-20251109.jsonl", 0o644),
    "directory of raw files that its owner cannot read": mode("phi-data/raw/older", 0o000),
    "directory of raw files with a default ACL": acl("phi-data/raw/older", "default", 5),
    **{f"{kind} in raw": special("phi-data/raw/x", kind) for kind in ("FIFO", "socket", "device", "link")},
    "hidden FIFO in raw": special("phi-data/raw/.x", "FIFO"),
    "rejects, readable by all": mode("phi-data/canonical/rejects/email-20251110.jsonl", 0o644),
    "directory of rejects, open": mode("phi-data/canonical/rejects", 0o755),
    "lineage of another user": owner("phi-data/canonical/lineage/email-20251110.json"),
    "object, readable by all": mode(OBJECT, 0o644),
    "object of another user": owner(OBJECT),
    "object with a second hard link": hard_link(OBJECT),
    "directory of objects, open": mode("phi-data/store/objects/AA", 0o755),
    "directory of objects with a default ACL": acl("phi-data/store/objects/AA/BC", "default", 5),
    "metadata.db, readable by all": mode("phi-data/store/metadata.db", 0o644),
    "link in the store": special("phi-data/store/objects/AA/link", "link"),
    "task store, writable by all": mode("phi-data/.work/tasks.json", 0o666),
    "task store of another user": owner("phi-data/.work/tasks.json"),
    "private log, readable by all": mode("phi-data/.work/logs/canonizer.log", 0o644),
    "staged file, readable by all": mode("phi-data/.work/staging/gmail-messages-a/1/a.jsonl", 0o644),
    "socket in .work": special("phi-data/.work/x", "socket"),
}  # fmt: skip

REFUSED_SETTINGS = ("/", "..", ".", "/tmp", "/var/tmp", "/home", "/home/somebody", "/etc", "~", "~/..")

HARMLESS: dict[str, Arrange] = {
    "as it should be": lambda p: None,
    "pipeline.yaml, private": mode("pipeline.yaml", 0o600),
    "pipeline.yaml of root": owner("pipeline.yaml", 0),
    "sticky directory above the project": mode("..", 0o1777),
    "directory above the project of root": owner("..", 0),
    "registry of root": owner("transforms", 0),
    "read-only registry": mode("transforms", 0o555),
    "registry, a link into a directory that only its owner may change": link("transforms"),
    "no logs yet": lambda p: shutil.rmtree(p / "logs"),
    "logs that others may enter, with private files": mode("logs", 0o755),
    "state.json, readable in private logs": mode("logs/state.json", 0o644),
    "no phi-data yet": lambda p: shutil.rmtree(p / "phi-data"),
    "no .work yet": lambda p: shutil.rmtree(p / "phi-data/.work"),
    "PHI directory with the set-group-ID bit": mode("phi-data", 0o2700),
    "private hidden file in raw": file("phi-data/raw/.hidden"),
    "Meltano's link below .work/sources": lambda p: (
        directory("phi-data/.work/sources")(p), directory("phi-data/.work/sources/a")(p),
        special("phi-data/.work/sources/a/extractors", "link")(p),
    ),
}  # fmt: skip


def start(project: Path) -> Code | None:
    """Begin a run as the ordinary user, in a process of its own; return the code of its failure."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            if ROOT:
                os.setgroups([])
                os.setresgid(ME, ME, ME)
                os.setresuid(ME, ME, ME)
            if not os.access(sys.executable, os.X_OK):  # an interpreter in root's home directory
                sys.executable, sys.prefix = "/bin/sh", sys.base_prefix
            os.umask(0o077)
            # The fixture has checked our own installation; it is large, and the same in all arrangements.
            setattr(trusted_files, "_installation", list)  # noqa: B010
            snapshot = preflight.snapshot(project / "pipeline.yaml")
            trusted_files.require_installation(snapshot.config)
            preflight.lock(snapshot)
            code = 0
        except Failure as failure:
            code = 1 + list(Code).index(failure.code)
        except OSError:
            code = 1 + list(Code).index(Code.PERMISSION)
        except BaseException as error:
            os.write(2, f"{type(error).__name__} at {place(error)}\n".encode())
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code != 99, "an unexpected exception"
    return list(Code)[code - 1] if code else None


def state(project: Path) -> set[tuple[str, int, int]]:
    """Every path around the project with its inode and last modification."""
    entries = [entry for entry in project.parent.parent.rglob("*") if not entry.is_symlink()]
    return {(str(entry), entry.stat().st_ino, entry.stat().st_mtime_ns) for entry in entries}


needs_root = pytest.mark.skipif(not ROOT, reason="needs root, to arrange files of other users")


@needs_root
def test_every_insecure_arrangement_is_refused_before_anything_is_written(arranged: Path) -> None:
    pristine = arranged.parent.parent / "pristine"
    arranged.rename(pristine)
    accepted, written, skipped = [], [], 0
    for name, arrange in INSECURE.items():
        above = arranged.parent
        shutil.rmtree(above)
        above.mkdir(mode=0o755)
        own(above)
        shutil.copytree(pristine, arranged, symlinks=True)
        for path in (arranged, *arranged.rglob("*")):
            os.lchown(path, ME, ME)
        (above.parent / "open").mkdir(exist_ok=True)
        (above.parent / "open").chmod(0o777)
        above.parent.chmod(0o755)
        try:
            arrange(arranged)
        except pytest.skip.Exception:
            skipped += 1
            continue
        before = state(arranged)
        if start(arranged) not in (Code.INSECURE, Code.PERMISSION):
            accepted.append(name)
        if state(arranged) != before:
            written.append(name)
    total = len(INSECURE) - skipped
    print(f"{total - len(accepted)} of {total} insecure arrangements refused, {skipped} not possible here")
    assert (accepted, written) == ([], [])


@needs_root
@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_arrangements_are_accepted(arranged: Path, name: str) -> None:
    HARMLESS[name](arranged)
    assert start(arranged) is None


@pytest.mark.parametrize("directory", REFUSED_SETTINGS)
def test_a_directory_that_holds_other_things_cannot_be_the_phi_directory(arranged: Path, directory: str) -> None:
    if ROOT:
        own(arranged)
    (arranged / "pipeline.yaml").write_text(PIPELINE + f'security: {{phi_directory: "{directory}"}}\n')
    with pytest.raises(Failure) as caught:
        config.load(arranged / "pipeline.yaml")
    assert caught.value.code is Code.INSECURE if ROOT else Code.CONFIG


def test_a_file_swapped_while_it_is_read_never_wins(tmp_path: Path) -> None:
    """Another user swaps pipeline.yaml, and the directory above it, for files of their own as fast as possible."""
    seconds = float(os.environ.get("LORCHESTRA_RACE_SECONDS", "1"))
    place = tmp_path / "project"
    place.mkdir()
    (place / "good").write_text("good")
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "pipeline.yaml").write_text("evil")
    os.link(place / "good", place / "pipeline.yaml")
    swapper = os.fork()
    if swapper == 0:
        while True:
            for step in range(6):
                with contextlib.suppress(OSError):
                    _swap(place, tmp_path / "evil", step)
    evil = attempts = 0
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            attempts += 1
            with contextlib.suppress(Failure):
                evil += trust.read(place / "pipeline.yaml", 100) != b"good"
    finally:
        os.kill(swapper, signal.SIGKILL)
        os.waitpid(swapper, 0)
    print(f"{evil} of {attempts:,} reads got the other content")
    assert evil == 0
    assert attempts > 10


def _swap(place: Path, evil: Path, step: int) -> None:
    file, other = place / "pipeline.yaml", place / "other"
    if step == 0:
        other.symlink_to(evil / "pipeline.yaml")
    elif step == 2:
        place.rename(place.with_name("away"))
        place.symlink_to(evil)
        return
    elif step == 3:
        place.unlink()
        place.with_name("away").rename(place)
        return
    elif step == 4 and ROOT:
        other.write_text("evil")
        os.chown(other, EVE, EVE)
    else:
        os.link(place / "good", other)
    other.replace(file)


def test_a_hundred_thousand_files_are_checked_in_a_second_of_cpu(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / str(number)).mkdir(mode=0o700)
        for name in range(100):
            os.close(os.open(tmp_path / str(number) / str(name), os.O_CREAT, 0o600))
    began = time.process_time()
    assert list(phi.examine_content(tmp_path)) == []
    seconds = (time.process_time() - began) * 20
    print(f"{seconds:.2f} s of CPU per 100,000 files")
    assert seconds < 1


@pytest.mark.parametrize("name", ["dodo.py", "pyproject.toml", "doit.cfg"])
def test_doit_refuses_files_that_others_can_change_before_it_imports_them(tmp_path: Path, name: str) -> None:
    project = Project(tmp_path / "project")
    (project.root / "dodo.py").write_text("open('imported', 'w')\n" + (project.root / "dodo.py").read_text())
    (project.root / name).touch()
    (project.root / name).chmod(0o666)
    ended = project.run("doit", "list", status=3)
    assert f"{name} can be changed by others. Run: chmod go-w" in ended.stderr
    assert not (project.root / "imported").exists()


def test_fix_repairs_what_is_safe_and_prints_every_command(built: Project) -> None:
    (built.root / "phi-data").chmod(0o755)
    (built.raw / "gmail-messages-a-20251110.jsonl").chmod(0o644)
    (built.store / "objects").chmod(0o750)
    refused = built.run("lorchestra", "validate", status=5).stdout
    assert refused.count("chmod 700") == 1
    fixed = built.run("lorchestra", "validate", "--fix").stdout
    assert [line.removeprefix("ran ") for line in fixed.splitlines() if line.startswith("ran ")] == [
        f"chmod 700 {built.root}/phi-data",
        f"chmod -R go= {built.raw}",
        f"chmod -R go= {built.store}",
    ]
    assert (built.raw / "gmail-messages-a-20251110.jsonl").stat().st_mode & 0o777 == 0o600


def test_nothing_is_repaired_for_a_configuration_that_others_can_change(built: Project) -> None:
    (built.root / "phi-data").chmod(0o755)
    (built.root / "transforms").chmod(0o777)
    ended = built.run("lorchestra", "validate", "--fix", status=5).stdout
    assert "ran " not in ended
    assert ended.count("can be changed by others") == 1
    assert (built.root / "phi-data").stat().st_mode & 0o777 == 0o755


def test_each_fault_is_printed_once(built: Project) -> None:
    (built.root / "transforms").chmod(0o755)
    built.root.parent.chmod(0o777)
    try:
        for command in (["lorchestra", "validate"], ["lorchestra", "run"], ["doit"]):
            ended = built.run(*command, status=None)
            assert ended.returncode in (3, 5)
            assert (ended.stdout + ended.stderr).count(f"{built.root.parent} can be changed") == 1
    finally:
        built.root.parent.chmod(0o700)


def test_a_forged_task_store_skips_nothing(built: Project) -> None:
    forged = built.root / "logs" / "tasks.json"
    shutil.copy(built.root / "phi-data/.work/tasks.json", forged)
    (built.canonical / "email-20251110.jsonl").unlink()
    assert "canonize:email-20251110" in built.ran("doit", "canonize")


def test_a_run_removes_what_killed_programs_left(built: Project) -> None:
    work = built.root / "phi-data" / ".work"
    left = [work / name / ".x.0123456789ab.tmp~" for name in ("", "logs", "audit", "staging")]
    left += [built.canonical / ".x.0123456789ab.tmp~", built.logs / ".x.0123456789ab.tmp~"]
    for path in left:
        path.touch(mode=0o600)
    built.run("lorchestra", "run", "--stage", "index")
    assert [path for path in left if path.exists()] == []
