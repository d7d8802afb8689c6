"""The programs on a system that lacks what only Linux has: the calls are removed, and /proc cannot be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import Project

_REMOVE = """
import builtins, fcntl, io, os, pathlib, resource, signal, sys
REMOVED = {
    os: ("O_PATH", "O_TMPFILE", "getxattr", "listxattr", "setxattr", "removexattr", "posix_fadvise", "posix_fallocate",
         "sched_getaffinity", "sched_setaffinity", "copy_file_range", "memfd_create", "pidfd_open", "eventfd"),
    fcntl: ("F_SETPIPE_SZ", "F_GETPIPE_SZ", "F_OFD_SETLK", "F_ADD_SEALS"),
    resource: ("prlimit", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME", "RLIMIT_SIGPENDING"),
    signal: ("pidfd_send_signal", "sigtimedwait", "sigwaitinfo", "SIGPWR", "SIGSTKFLT"),
}
for module, names in REMOVED.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)

def blocked(call):
    def wrapper(path, *arguments, **options):
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith("/proc/"):
            raise FileNotFoundError(2, "No such file or directory", path)
        return call(path, *arguments, **options)
    return wrapper

io.open = builtins.open = blocked(io.open)
os.open, os.listdir, os.scandir, os.stat = map(blocked, (os.open, os.listdir, os.scandir, os.stat))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which every Python starts without the calls."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_REMOVE)
    return {"PYTHONPATH": str(tmp_path / "site")}


def test_a_whole_run(project: Project, environment: dict[str, str]) -> None:
    check = "import os, fcntl; print(hasattr(os, 'O_PATH'), hasattr(os, 'getxattr'), hasattr(fcntl, 'F_SETPIPE_SZ'))"
    removed = subprocess.run([sys.executable, "-c", check], env={**os.environ, **environment}, capture_output=True)
    assert removed.stdout.split() == [b"False"] * 3, removed
    project.run("doit", env=environment)
    assert project.objects()
    assert project.run("lorchestra", "run", env=environment).returncode == 0
    assert "ACLs" in project.run("lorchestra", "validate", env=environment).stdout


@pytest.mark.parametrize(
    "command",
    [
        ["can", "transform", "run", "--meta", "transforms/email/gmail_to_canonical_v1.meta.yaml",
         "--output", "out.jsonl", "--input", "phi-data/meltano-extracts/gmail-messages-a-20251110.jsonl"],
        ["vector-projector", "stats", "--store", "phi-data/vector-store"],
        ["vector-projector", "pull", "--input", "phi-data/canonical", "--store", "phi-data/other"],
        ["lorchestra-sample", "gmail-messages", "--output", "phi-data/more"],
        ["lorchestra", "status"],
    ],
)  # fmt: skip
def test_each_program(built: Project, environment: dict[str, str], command: list[str]) -> None:
    built.run(*command, env=environment)


@pytest.mark.parametrize("limit", ["RLIMIT_CORE", "RLIMIT_DATA"])
def test_a_missing_limit_is_not_set(limit: str) -> None:
    script = (
        f"import resource; del resource.{limit}\n"
        "from lorchestra.platform import limits\n"
        "print(limits.forbid_core_files(), limits.limit_memory(1 << 30), limits.processors() > 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    expected = {"RLIMIT_CORE": "False True True", "RLIMIT_DATA": "True False True"}
    assert done.stdout.strip() == expected[limit]
