"""A program that lives as long as we do: one JSON job a line in, one JSON result a line out.

Its start-up and its compilations are paid once. Its stderr goes to a private file. When it dies, the job that it had is
lost and no other: the next job starts a new one.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorchestra.base import private
from lorchestra.base.errors import Code, Failure, from_os_error

_LONGEST_RESULT = 1 << 20
_workers: dict[tuple[str, ...], Worker] = {}


class Worker:
    """One running program. Not for several threads."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> None:
        """Start the program. Raises Failure(COMPONENT_MISSING | PERMISSION | NO_SPACE) where it cannot be started."""
        self._log = log
        self._owner = os.getpid()
        self._buffer = b""
        failure: Failure | None = None
        try:
            with os.fdopen(private.append(log), "ab") as errors:
                self._child = subprocess.Popen(
                    argv,
                    cwd=cwd,
                    env=dict(env),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    bufsize=0,
                    umask=0o077,
                    # Ctrl-C reaches us; we end the worker ourselves when its job is settled.
                    process_group=0,
                )
        except FileNotFoundError:
            failure = Failure(Code.COMPONENT_MISSING, f"{argv[0]}: cannot be started")
        except OSError as error:
            failure = from_os_error(error, argv[0])
        if failure:
            raise failure

    def call(self, job: Mapping[str, Any], timeout_seconds: float | None = None) -> dict[str, Any]:
        """Hand over a job and wait for its result.

        Raises Failure(COMPONENT_CRASHED | TIMED_OUT); the program is gone then.
        """
        answer: object = None
        try:
            self._write(json.dumps(job).encode("ascii") + b"\n")
            answer = json.loads(self._read(timeout_seconds))
        except (BrokenPipeError, EOFError, ValueError):
            pass
        except BaseException:
            self.stop(grace_seconds=0)
            raise
        if not isinstance(answer, dict) or answer.get("id") != job.get("id"):
            self.stop(grace_seconds=0)
            raise Failure(
                Code.COMPONENT_CRASHED, f"the worker ended without an answer; its messages are in {self._log}"
            )
        return answer

    def stop(self, grace_seconds: float = 2.0) -> None:
        """End the program: close its input, then kill its process group when it has not ended in time."""
        if os.getpid() != self._owner:  # a fork of us: the worker is not ours to end
            return
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                pipe.close()
        try:
            self._child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    @property
    def alive(self) -> bool:
        """Whether it is ours and still running."""
        return os.getpid() == self._owner and self._child.poll() is None

    def _write(self, line: bytes) -> None:
        assert self._child.stdin is not None
        while line:
            line = line[self._child.stdin.write(line) or 0 :]

    def _read(self, timeout_seconds: float | None) -> bytes:
        assert self._child.stdout is not None
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while b"\n" not in self._buffer:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._child.stdout], [], [], left)[0]:
                raise Failure(Code.TIMED_OUT, f"the worker gave no answer in {timeout_seconds:g} s and was ended")
            chunk = self._child.stdout.read(65536)
            if not chunk or len(self._buffer) > _LONGEST_RESULT:
                raise EOFError
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def shared(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> Worker:
    """The worker of this process for a command: started at the first call, ended with the process."""
    key = tuple(argv)
    if key not in _workers or not _workers[key].alive:
        if not _workers:
            atexit.register(stop_all)
        _workers[key] = Worker(argv, cwd=cwd, env=env, log=log)
    return _workers[key]


def stop_all() -> None:
    """End the workers of this process."""
    while _workers:
        _workers.popitem()[1].stop()
