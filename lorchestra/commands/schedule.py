"""`lorchestra schedule`: run the pipeline every day, by a timer of systemd's user manager or a line for cron.

The units follow systemd.service(5), systemd.timer(5) and systemd.exec(5).
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lorchestra.base.errors import Code, Failure
from lorchestra.planning import preflight
from lorchestra.planning.config import Config
from lorchestra.process import programs
from lorchestra.storage import private

_BUS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
_NO_MANAGER = "systemd manages no services of this user here."
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_TEMPORARY = (Path("/", "tmp"), Path("/", "var", "tmp"))
_HARDENING = """\
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
"""
_OF_USERS = """\
# No ProtectSystem, PrivateTmp or other options that need namespaces: in a user's service they hide who owns the
# system's directories, and lorchestra refuses to run below directories of unknown owners.
"""
_SERVICE = """\
[Unit]
Description=lorchestra pipeline {name}

[Service]
Type=oneshot
WorkingDirectory={directory}
ExecStart={command}
Environment={path}
{hardening}"""
_TIMER = """\
[Unit]
Description=lorchestra pipeline {name}, every day

[Timer]
OnCalendar=*-*-* {at}:00
# A run that was missed, because the computer slept or was off, starts as soon as it is on again.
Persistent=true

[Install]
WantedBy=timers.target
"""


class Units(NamedTuple):
    """The name of a service and its timer, and their content."""

    name: str
    service: str
    timer: str


def install(path: Path, at: str, *, cron_only: bool = False) -> list[str]:
    """Install and start the timer of a pipeline; return lines for the user.

    With `cron_only`, and where systemd does not manage the user's services, nothing is changed, and the lines show
    what to add to cron. Raises Failure.
    """
    config, units = _units(path, at)
    if cron_only:
        return [_cron(config, at)]
    if not _systemctl("show-environment")[0]:
        return [f"{_NO_MANAGER} Nothing was changed; add this line with `crontab -e`:", _cron(config, at)]
    for file, content in zip(_files(units.name), (units.service, units.timer), strict=True):
        private.make_directory(file.parent)
        private.write(file, content.encode())
    for words in (("daemon-reload",), ("enable", f"{units.name}.timer"), ("restart", f"{units.name}.timer")):
        _require(*words)
    return [
        *(f"created {file}" for file in _files(units.name)),
        f"`lorchestra run` starts every day at {at}; a missed run is caught up.",
        "It runs while you are logged in. For runs without a login: loginctl enable-linger",
        f"Its output: journalctl --user --unit {units.name}",
    ]


def remove(path: Path) -> list[str]:
    """Stop the timer of a pipeline and remove its units; return lines for the user. Raises Failure."""
    name = _name(preflight.snapshot(path).config)
    files = [file for file in _files(name) if file.exists()]
    if not files:
        return ["no schedule is installed"]
    _require("disable", "--now", f"{name}.timer")
    for file in files:
        file.unlink()
    _require("daemon-reload")
    return [f"removed {file}" for file in files]


def status(path: Path) -> tuple[bool, list[str]]:
    """Whether the timer is active, and lines for the user. Raises Failure."""
    name = _name(preflight.snapshot(path).config)
    timer = _files(name)[1]
    if not timer.exists():
        return False, ["no schedule is installed; `lorchestra schedule install --at 06:30` installs one"]
    properties = ("ActiveState", "NextElapseUSecRealtime", "LastTriggerUSec")
    works, output = _systemctl("show", f"{name}.timer", *(f"--property={one}" for one in properties))
    known = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    at = re.search(r"^OnCalendar=\*-\*-\* (\d\d:\d\d)", timer.read_text(), re.MULTILINE)
    lines = [f"timer  {timer}", f"time   {at[1] if at else 'edited'}, every day"]
    for label, key in zip(("state", "next", "last"), properties, strict=True):
        lines.append(f"{label:<6} {known.get(key) or 'unknown'}")
    return works and known.get("ActiveState") == "active", lines


def system_units(path: Path, at: str) -> str:
    """Units for the system's manager, as text: an administrator installs them. Raises Failure."""
    config, units = _units(path, at)
    hardening = _HARDENING + "ProtectSystem=full\n" + ("" if _uses_temporary(config) else "PrivateTmp=yes\n")
    hardening += f"User={os.geteuid()}\nGroup={os.getegid()}\n"
    parts = {".service": _service(config, hardening), ".timer": units.timer}
    return "\n".join(f"# /etc/systemd/system/{units.name}{kind}\n{content}" for kind, content in parts.items())


def _cron(config: Config, at: str) -> str:
    """The line for cron, which treats `%` as the end of a line."""
    hour, minute = at.split(":")
    words = [_program(), "run", "--quiet", "--config", str(config.path)]
    command = f"umask 077; cd {shlex.quote(str(config.path.parent))} && {shlex.join(words)}"
    return f"{int(minute)} {int(hour)} * * * {command}".replace("%", r"\%")


def _units(path: Path, at: str) -> tuple[Config, Units]:
    if not _TIME.fullmatch(at):
        raise Failure(Code.USAGE, "--at must be a time such as 06:30")
    config = preflight.snapshot(path).config
    if path == Path("-") or not str(config.path).isprintable() or not os.environ.get("PATH", "").isprintable():
        message = "a scheduled pipeline needs a file, and paths without control characters"
        raise Failure(Code.USAGE, message, advice="Name the file with --config FILE.")
    timer = _TIMER.format(name=config.name, at=at)
    return config, Units(_name(config), _service(config, _OF_USERS + _HARDENING), timer)


def _service(config: Config, hardening: str) -> str:
    words = (_program(), "run", "--config", str(config.path))
    return _SERVICE.format(
        name=config.name,
        directory=str(config.path.parent).replace("%", "%%"),
        command=" ".join(_quoted(word).replace("$", "$$") for word in words),
        path=_quoted(f"PATH={os.environ.get('PATH', os.defpath)}"),
        hardening=hardening,
    )


def _quoted(word: str) -> str:
    """A word as systemd.syntax(7) reads it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _name(config: Config) -> str:
    """Different for pipelines of the same name in different directories."""
    return f"lorchestra-{config.name}-{hashlib.sha256(os.fsencode(config.path)).hexdigest()[:8]}"


def _files(name: str) -> tuple[Path, Path]:
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    return base / f"{name}.service", base / f"{name}.timer"


def _program() -> str:
    return str(Path(sys.executable).with_name("lorchestra"))


def _uses_temporary(config: Config) -> bool:
    """Whether PrivateTmp would hide something that the pipeline needs."""
    return any(path.is_relative_to(place) for path in _paths(config) for place in _TEMPORARY)


def _paths(config: Config) -> Iterator[Path]:
    yield from (config.path, config.log_directory, config.canonize.registry, *config.phi_directories, Path(sys.prefix))
    for source in config.extract.sources:
        for value in source.settings.values():
            words = value if isinstance(value, tuple) else (value,)
            yield from (Path(word) for word in words if isinstance(word, str))


def _systemctl(*words: str) -> tuple[bool, str]:
    """Whether systemctl succeeded, and what it printed."""
    status, output = programs.answer(["systemctl", "--user", *words], pass_env=_BUS)
    return status == 0, output


def _require(*words: str) -> None:
    if not _systemctl(*words)[0]:
        command = shlex.join(["systemctl", "--user", *words])
        raise Failure(Code.COMPONENT_FAILED, f"failed: {command}", advice="Run it yourself to see the reason.")
