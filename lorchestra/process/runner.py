"""Start a program, watch it, and leave nothing of it behind.

A program gets an argument list, an environment made from an allow-list, no terminal, and a session of its own, so that
everything it starts can be ended with it. What it prints goes to a private file: it may hold PHI.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from lorchestra.base.errors import Code, Exit, Failure, from_os_error
from lorchestra.process import guard
from lorchestra.process.guard import GRACE_SECONDS
from lorchestra.storage import private

PASSED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
)  # fmt: skip
"""The variables that every program gets. Whatever else it needs is named by its settings."""

_LONGEST_LINE = 64 * 1024
_LONGEST_TICK = 0.1


class Finished(NamedTuple):
    """How a program ended. `status` is its exit status, or minus the number of the signal that killed it."""

    status: int
    duration_seconds: float
    timed_out: bool
    log: Path
    log_bytes: int


def environment(pass_env: Iterable[str] = (), **settings: str) -> dict[str, str]:
    """The allow-listed part of our own environment, the variables named by `pass_env`, and `settings` on top."""
    names = (*PASSED, *pass_env)
    return {name: os.environ[name] for name in names if name in os.environ} | settings


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    stdin: Path | None = None,
    stdout: Path | None = None,
    timeout_seconds: float | None = None,
    inherit: Sequence[int] = (),
    after_stop: bool = False,
    on_start: Callable[[int], None] | None = None,
    on_line: Callable[[bytes], None] | None = None,
    on_tick: Callable[[], None] | None = None,
) -> Finished:
    """Run a program and wait for its end.

    `log` is created, private and empty. It receives stderr, and stdout unless `stdout` names another new private file.
    `inherit` are descriptors that the program keeps open. `on_start` is called with its process group, `on_line` with
    each complete line of the log soon after it was written, `on_tick` several times a second.

    At the time limit, and when KeyboardInterrupt comes (which `base.program` also makes of SIGTERM), the whole group
    gets SIGTERM, then after `GRACE_SECONDS` SIGKILL; a second interrupt kills at once. Whatever a program leaves
    running in its group is killed when it ends. After `stop_all` in another thread it raises KeyboardInterrupt, unless
    `after_stop` says that the program reports the end.
    Raises Failure(COMPONENT_MISSING | PERMISSION | NO_SPACE | MISSING) if it cannot be started.
    """
    began = time.monotonic()
    tail = _Tail(log, on_line) if on_line else None
    child: subprocess.Popen[bytes] | None = None
    try:
        with _undisturbed(), _starting:
            if _stopping.is_set() and not after_stop:
                raise KeyboardInterrupt
            child = _start(argv, cwd, env, log, stdin, stdout, inherit)
            guard.watch(child.pid)
            _running.add(child)
            if on_start:
                on_start(child.pid)
        ended = _ended(child, timeout_seconds, tail, on_tick)
    except BaseException:
        if child:
            _stop(child)
        raise
    if not ended:
        _stop(child)
    status = _reap(child)
    if _stopping.is_set() and not after_stop:
        raise KeyboardInterrupt
    if tail:
        tail.read()
    return Finished(status, time.monotonic() - began, not ended, log, log.stat().st_size)


_running: set[subprocess.Popen[bytes]] = set()
_starting = threading.Lock()
_stopping = threading.Event()
_at_once = threading.Event()


def stop_all() -> None:
    """Stop the programs that other threads run, and start no more: this process is about to end."""
    with _starting:
        _stopping.set()
    for number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 1.0)):
        for child in tuple(_running):
            signal_group(child.pid, number)
        deadline = time.monotonic() + seconds
        # Each program is reaped by the thread that runs it.
        while _running and time.monotonic() < deadline and not (number == signal.SIGTERM and _at_once.is_set()):
            time.sleep(0.01)


def stop_now() -> None:
    """Let `stop_all` kill the programs without waiting: for a signal handler."""
    _at_once.set()


def code(finished: Finished, failed: Code = Code.COMPONENT_FAILED) -> Code | None:
    """What an exit status means; None for success. `failed` stands for a status without a meaning of its own."""
    if finished.timed_out:
        return Code.TIMED_OUT
    if finished.status == 0:
        return None
    number = -finished.status if finished.status < 0 else finished.status - _KILLED
    if 0 < number <= signal.SIGRTMAX:
        return _SIGNALS.get(number, Code.COMPONENT_CRASHED)
    return _STATUSES.get(finished.status, failed)


def foreign_code(finished: Finished) -> Code | None:
    """What the exit status of a program that does not follow our contract means; None for success.

    Only 0 and signals have a meaning of their own. Every other status is "failed, retry": curl's 6 is an unknown host,
    not a full disk.
    """
    if not finished.timed_out and finished.status in _STATUSES:
        return Code.SOURCE_FAILED
    return code(finished, Code.SOURCE_FAILED)


_KILLED = 128  # a shell, and Meltano, say 128 + the signal's number
_SIGNALS: Mapping[int, Code] = {signal.SIGXFSZ: Code.NO_SPACE, signal.SIGINT: Code.INTERRUPTED}
_STATUSES: Mapping[int, Code] = {
    Exit.USAGE: Code.USAGE,
    Exit.NOT_JSONL: Code.NOT_JSONL,
    Exit.REGISTRY: Code.TRANSFORM_INVALID,
    Exit.PERMISSION: Code.PERMISSION,
    Exit.NO_SPACE: Code.NO_SPACE,
    Exit.REJECTS: Code.TOO_MANY_REJECTS,
    Exit.BUSY: Code.BUSY,
    Exit.TRY_LATER: Code.TRY_LATER,
    126: Code.PERMISSION,  # a shell found the program and may not execute it
    127: Code.COMPONENT_MISSING,  # a shell did not find the program
}


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; False if it no longer exists or belongs to another user."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _start(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    stdin: Path | None,
    stdout: Path | None,
    inherit: Sequence[int],
) -> subprocess.Popen[bytes]:
    failure: Failure
    try:
        with contextlib.ExitStack() as files:
            errors = files.enter_context(_new(log))
            return subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=files.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL,
                stdout=files.enter_context(_new(stdout)) if stdout else errors,
                stderr=errors,
                pass_fds=inherit,
                start_new_session=True,
                umask=0o077,
            )
    except OSError as error:
        failure = from_os_error(error)
        if error.filename == argv[0] and failure.code != Code.PERMISSION:
            failure = Failure(Code.COMPONENT_MISSING, f"{argv[0]}: cannot be started")
    raise failure


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Delay interrupts until the block ends: one during the start of a program would leave it running."""
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    if threading.current_thread() is not threading.main_thread():
        handlers = {}
    caught = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in caught:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in caught.items():
            signal.signal(number, handler)
        for earliest in came[:1]:
            signal.raise_signal(earliest)


def _new(path: Path) -> IO[bytes]:
    path.unlink(missing_ok=True)
    return private.create(path)


def _ended(
    child: subprocess.Popen[bytes],
    seconds: float | None,
    tail: _Tail | None = None,
    on_tick: Callable[[], None] | None = None,
) -> bool:
    """Wait for the end of the child or of the time. It is not reaped yet, so its id cannot be reused."""
    began = time.monotonic()
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        passed = time.monotonic() - began
        if seconds is not None and passed >= seconds:
            return False
        if tail:
            tail.read()
        if on_tick:
            on_tick()
        time.sleep(min(_LONGEST_TICK, 0.001 + passed / 20))
    return True


def _stop(child: subprocess.Popen[bytes]) -> None:
    signal_group(child.pid, signal.SIGTERM)
    try:
        _ended(child, GRACE_SECONDS)
    finally:
        _reap(child)


def _reap(child: subprocess.Popen[bytes]) -> int:
    """Kill the rest of the child's group, then reap the child."""
    signal_group(child.pid, signal.SIGKILL)
    status = child.wait()
    deadline = time.monotonic() + 0.5
    while signal_group(child.pid, 0) and time.monotonic() < deadline:  # killed, but perhaps still in its last write
        time.sleep(0.005)
    guard.forget(child.pid)
    _running.discard(child)
    return status


class _Tail:
    """Passes on the complete lines of a growing file. A line longer than 64 KiB is skipped, so memory is bounded."""

    def __init__(self, path: Path, on_line: Callable[[bytes], None]) -> None:
        self._path = path
        self._offset = 0
        self._on_line = on_line

    def read(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            while line := file.readline(_LONGEST_LINE):
                if not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
                    return
                self._offset += len(line)
                if line.endswith(b"\n"):
                    self._on_line(line[:-1])
