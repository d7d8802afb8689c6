"""doit's commands with our loader, from the first moment to the last."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import BIN, Project

_BLOCKS = 4
_SCRIPT = f"""
mount -t tmpfs -o size={_BLOCKS * 4}k none logs && chmod 700 logs || exit 99
head -c $1 /dev/zero > logs/filler; chmod 600 logs/filler; shift
"$@"
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root, to mount a small file system")
@pytest.mark.parametrize("free_blocks", [0, 1, 2, 3])
@pytest.mark.parametrize(("command", "status"), [(["doit"], 3), (["doit", "-n", "2"], 3), (["lorchestra", "run"], 6)])
def test_a_full_log_disk(project: Project, free_blocks: int, command: list[str], status: int) -> None:
    (project.root / "logs").mkdir()
    filler = str((_BLOCKS - free_blocks) * 4096)
    program = [str(BIN / command[0]), *command[1:]]
    ended = subprocess.run(
        ["unshare", "-m", "sh", "-c", _SCRIPT, "sh", filler, *program],
        cwd=project.root, capture_output=True, text=True, umask=0o077,
    )  # fmt: skip
    if ended.returncode == 99:
        pytest.skip("this system allows no mounts")
    output = ended.stdout + ended.stderr
    assert ended.returncode == status, output
    assert "Traceback" not in output
    assert f"{Path('logs').absolute().name}/" in output
    assert "no space left on device (ENOSPC)" in output


def test_dumpdb_prints_the_task_store(built: Project) -> None:
    dumped = json.loads(built.run("doit", "dumpdb").stdout)
    assert dumped["tasks"]["canonize:contact-20251110"]["_values_:"]["records_in"] == 2
    stored = json.loads((built.root / "phi-data/.work/tasks.json").read_bytes())
    assert dumped["tasks"] == stored["tasks"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_with_fixed_tasks(project: Project, shell: str) -> None:
    script = project.run("doit", "tabcompletion", "--hardcode-tasks", "--shell", shell).stdout
    assert all(task in script for task in ("phi", "extract", "canonize", "index"))


def test_dodo_py_is_enough(project: Project, tmp_path: Path) -> None:
    """doit finds its settings neither in the directory of dodo.py nor in the current one."""
    (project.root / "pyproject.toml").unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    dodo = os.path.relpath(project.root / "dodo.py", elsewhere)
    run = subprocess.run([BIN / "doit", "-f", dodo, "-n", "2"], cwd=elsewhere, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(project.objects()) == 14
    assert not list(elsewhere.iterdir())
    assert not project.ran("doit", "canonize", "index")
    assert "canonize:nope is not a task" in project.run("doit", "canonize:nope", status=3).stderr


def test_another_loader_gets_a_message_about_dodo_py(project: Project) -> None:
    run = subprocess.run([sys.executable, "-c", "import dodo"], cwd=project.root, capture_output=True, text=True)
    assert run.returncode == 1
    assert 'needs `loader = "lorchestra"`' in run.stderr


@pytest.mark.parametrize("arguments", [["list", "--all"], ["dumpdb"], ["info", "phi"]])
def test_a_reader_that_stops_early_causes_no_error(project: Project, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run([BIN / "doit", *arguments], cwd=project.root, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert run.stderr == ""


def run_in_python(project: Project, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a project, with the arguments of a command."""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=project.root, capture_output=True, text=True, timeout=60
    )


def test_an_interrupt_while_the_loader_is_imported(project: Project) -> None:
    script = """
import sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "lorchestra.planning.trusted_files":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
sys.argv[0] = "doit"
from doit.__main__ import main
main()
"""
    run = run_in_python(project, script, "canonize")
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "doit: interrupted\n")


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    ("program", "arguments"),
    [("doit.__main__", ["extract"]), ("doit.__main__", ["list"]), ("lorchestra.cli", ["status"])],
)
def test_a_signal_after_the_end_changes_nothing(
    project: Project, number: str, program: str, arguments: list[str]
) -> None:
    """Handlers that were registered first run last at exit, as those of coverage do."""
    script = f"""
import atexit, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(lambda: os.kill(os.getpid(), signal.{number}))
sys.argv[0] = "doit"
from {program} import main
sys.exit(main())
"""
    run = run_in_python(project, script, *arguments)
    assert (run.returncode, run.stderr) == (0, "")
