"""Ends the programs of this process when it is killed.

SIGKILL, and a system that runs out of memory, leave no time to clean up. So a small shell waits at the end of a pipe
whose other end only this process holds. When the pipe closes, the shell ends the process groups that are still
registered. Linux's PR_SET_PDEATHSIG does less: it reaches one process, not its children, and it fires when the *thread*
that started the program ends.
"""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import threading

GRACE_SECONDS = 10.0
"""How long a program may take to end after SIGTERM."""

_SCRIPT = """
trap '' INT TERM HUP
groups=' '
while read -r change group; do
    case $change in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
any() { for group in $groups; do kill -s "$1" -- "-$group" && found=1; done 2>/dev/null; }
any TERM
left=$1
while found=; any 0; [ "$found" ] && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
any KILL
"""

_lock = threading.Lock()
_shell: subprocess.Popen[bytes] | None = None


def watch(group: int) -> None:
    """Register a process group: it ends when this process does, however that happens."""
    _send(f"+ {group}\n")


def forget(group: int) -> None:
    """Take back `watch`, when the group has ended."""
    _send(f"- {group}\n")


def _send(line: str) -> None:
    with _lock:
        shell = _shell or _start()
        assert shell.stdin
        with contextlib.suppress(BrokenPipeError):  # somebody killed the shell: the programs lose their guard only
            shell.stdin.write(line.encode("ascii"))


def _start() -> subprocess.Popen[bytes]:
    global _shell
    _shell = subprocess.Popen(
        ["/bin/sh", "-c", _SCRIPT, "sh", str(int(GRACE_SECONDS * 10))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        start_new_session=True,
    )
    atexit.register(_dismiss, _shell)
    return _shell


def _dismiss(shell: subprocess.Popen[bytes]) -> None:
    assert shell.stdin
    shell.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        shell.wait(1)
