"""Another package adds an executor, found through its entry point."""

from __future__ import annotations

from pathlib import Path

from lorchestra.executors.executor import GROUP
from tests import extension
from tests.harness import Project

SOURCE = """
from lorchestra.executors.local import LocalExecutor


class Recording:
    def __init__(self, config):
        self._file = config.work_directory / "jobs"
        self._local = LocalExecutor(config.canonize.command, config.work_directory, 1)

    def run(self, job, progress=None):
        with self._file.open("a") as file:
            file.write(f"{job['id']}\\n")
        return self._local.run(job, progress)

    def close(self, *, abort=False):
        self._local.close(abort=abort)
        with self._file.open("a") as file:
            file.write("closed\\n")


create = Recording
"""


def test_an_executor_of_another_package_runs_the_jobs(project: Project, tmp_path: Path) -> None:
    installed = extension.install(tmp_path / "installed", GROUP, "recording", SOURCE)
    project.run("doit", "extract")
    project.edit("    registry: transforms\n", "    registry: transforms\n    executor: recording\n")
    project.run("lorchestra", "run", "--stage", "index", env=installed)
    *jobs, last = (project.root / "phi-data/.work/jobs").read_text().splitlines()
    assert sorted(jobs) == ["contact-20251110", "email-20251110", "email-20251111"]
    assert last == "closed"
    assert len(project.objects()) == 14


def test_an_executor_that_is_not_installed_is_an_error_with_its_name(project: Project) -> None:
    project.run("doit", "extract")
    project.edit("    registry: transforms\n", "    registry: transforms\n    executor: recording\n")
    shown = project.run("lorchestra", "run", "--stage", "canonize", status=2)
    assert "no installed package provides 'recording' in lorchestra.executors" in shown.stdout + shown.stderr
