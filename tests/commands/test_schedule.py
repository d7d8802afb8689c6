"""`lorchestra schedule`: the units, checked by systemd itself where it is installed, and the line for cron.

No user manager runs where tests run: a script in its place notes what it is told.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.harness import BIN, Project

SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$HOME/told"
case "$2" in show) echo ActiveState=active; echo "NextElapseUSecRealtime=Thu 2025-11-13 06:30:00 CET";; esac
"""


def environment(project: Project, systemctl: str = SYSTEMCTL) -> Mapping[str, str]:
    """A home directory, and a PATH with a `systemctl`."""
    home = project.root / "home"
    home.mkdir(exist_ok=True)
    (home / "systemctl").write_text(systemctl)
    (home / "systemctl").chmod(0o755)
    return {"HOME": str(home), "XDG_CONFIG_HOME": "", "PATH": f"{home}:{os.environ['PATH']}"}


def units(project: Project) -> dict[str, Path]:
    """The installed units by suffix."""
    return {path.suffix: path for path in (project.root / "home/.config/systemd/user").iterdir()}


def test_a_timer_is_installed_shown_and_removed(project: Project) -> None:
    env = environment(project)
    assert "no schedule" in project.run("lorchestra", "schedule", "status", env=env, status=1).stdout
    project.run("lorchestra", "schedule", "install", "--at", "05:45", env=env)
    installed = units(project)
    timer, service = installed[".timer"].read_text(), installed[".service"].read_text()
    assert "OnCalendar=*-*-* 05:45:00" in timer and "Persistent=true" in timer
    assert f'ExecStart="{BIN}/lorchestra" "run" "--config" "{project.root}/pipeline.yaml"' in service
    for line in ("UMask=0077", "NoNewPrivileges=yes", f"WorkingDirectory={project.root}"):
        assert line in service.splitlines()
    shown = project.run("lorchestra", "schedule", "status", env=env).stdout
    assert "05:45" in shown and "2025-11-13" in shown
    project.run("lorchestra", "schedule", "remove", env=env)
    assert units(project) == {}
    name = installed[".timer"].name
    told = [line for line in (project.root / "home/told").read_text().splitlines() if " show" not in line]
    assert told == [
        "--user daemon-reload",
        f"--user enable {name}",
        f"--user restart {name}",
        f"--user disable --now {name}",
        "--user daemon-reload",
    ]


def test_without_systemd_there_is_a_line_for_cron(project: Project) -> None:
    env = environment(project, "#!/bin/sh\nexit 1\n")
    shown = project.run("lorchestra", "schedule", "install", "--at", "06:05", env=env).stdout
    assert "Nothing was changed" in shown
    line = shown.splitlines()[-1]
    assert line.startswith("5 6 * * * umask 077; cd ")
    assert not (project.root / "home/.config").exists()
    assert project.run("lorchestra", "schedule", "install", "--at", "06:05", "--cron", env=env).stdout == f"{line}\n"
    subprocess.run(["sh", "-c", line.split(maxsplit=5)[5]], check=True, env={"HOME": "/", "PATH": os.environ["PATH"]})
    assert project.state()["status"] == "SUCCESS"


@pytest.mark.parametrize("at", ["6:30", "24:00", "06:30:00", "06:30\n", "daily"])
def test_a_wrong_time_is_refused(project: Project, at: str) -> None:
    error = project.run("lorchestra", "schedule", "install", "--at", at, status=2).stderr
    assert "--at must be a time such as 06:30" in error


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units_whatever_the_directory_is_called(tmp_path: Path) -> None:
    project = Project(tmp_path / '50% of $HOME; it\'s "here"')
    env = environment(project)
    project.run("lorchestra", "schedule", "install", env=env)
    system = project.run("lorchestra", "schedule", "install", "--system", env=env).stdout
    assert "ProtectSystem=full" in system and f"User={os.geteuid()}" in system
    service, timer = system.split("# /etc/systemd/system/")[1:]
    for manager, files in {
        "--user": list(units(project).values()),
        "--system": [write(tmp_path, service), write(tmp_path, timer)],
    }.items():
        checked = subprocess.run(
            ["systemd-analyze", manager, "verify", "--man=no", *files],
            capture_output=True,
            text=True,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)},
        )
        ours = [line for line in checked.stderr.splitlines() if "lorchestra" in line]
        assert ours == []


def write(directory: Path, unit: str) -> Path:
    """A printed unit as a file of the name that it was printed with."""
    name, _, content = unit.partition("\n")
    (directory / name).write_text(content)
    return directory / name


def test_private_tmp_does_not_hide_the_pipeline(project: Project) -> None:
    system = project.run("lorchestra", "schedule", "install", "--system", env=environment(project)).stdout
    below = any(project.root.is_relative_to(place) for place in ("/tmp", "/var/tmp"))
    assert ("PrivateTmp=yes" in system) is not below
