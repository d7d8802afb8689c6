"""A program that lives as long as we do: one JSON job a line in, one JSON result a line out.

Its start-up and its compilations are paid once. Its stderr goes to a private file. When it dies, the job that it had is
lost and no other: the next job starts a new one.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.storage import private

_LONGEST_RESULT = 1 << 20
_workers: dict[tuple[int, tuple[str, ...]], Worker] = {}


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
        except OSError as error:
            failure = from_os_error(error)
            if error.filename == argv[0] and failure.code is not Code.PERMISSION:
                failure = Failure(Code.COMPONENT_MISSING, f"{argv[0]}: cannot be started")
        if failure:
            raise failure
        assert self._child.stdin and self._child.stdout
        self._in, self._out = self._child.stdin, self._child.stdout
        os.set_blocking(self._in.fileno(), False)

    def call(self, job: Mapping[str, Any], timeout_seconds: float | None = None) -> dict[str, Any]:
        """Hand over a job and wait for its result.

        Raises Failure(COMPONENT_CRASHED | TIMED_OUT); the program is gone then.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        failure = Failure(Code.COMPONENT_CRASHED, f"the worker gave no answer; its messages are in {self._log}")
        answer: object = None
        at_rest = False
        try:
            self._write(json.dumps(job).encode("ascii") + b"\n", deadline)
            answer = json.loads(self._read(deadline))
            at_rest = not self._buffer  # who says more than was asked would answer the next job with it
        except TimeoutError:
            failure = Failure(Code.TIMED_OUT, f"the worker gave no answer in {timeout_seconds:g} s and was ended")
        except (BrokenPipeError, EOFError, ValueError, RecursionError):
            pass
        finally:
            if not at_rest:
                self.stop(grace_seconds=0)
        if isinstance(answer, dict) and answer.get("id") == job.get("id"):
            return answer
        self.stop(grace_seconds=0)
        raise failure

    def stop(self, grace_seconds: float = 2.0) -> None:
        """End the program: close its input, and when its time is up kill it and what it left running."""
        if self._in.closed:
            return
        self._in.close()
        self._out.close()
        if os.getpid() != self._owner:  # a fork of us: the worker is not ours to end
            self._child.returncode = 0  # nor to be waited for
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(grace_seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    @property
    def alive(self) -> bool:
        """Whether it is ours and still running."""
        return os.getpid() == self._owner and not self._in.closed and self._child.poll() is None

    def _write(self, line: bytes, deadline: float | None) -> None:
        while line:
            _wait(self._in, select.POLLOUT, deadline)
            line = line[self._in.write(line) or 0 :]

    def _read(self, deadline: float | None) -> bytes:
        while b"\n" not in self._buffer:
            _wait(self._out, select.POLLIN, deadline)
            chunk = self._out.read(65536)
            if not chunk or len(self._buffer) > _LONGEST_RESULT:
                raise EOFError
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def _wait(pipe: IO[bytes], event: int, deadline: float | None) -> None:
    """Wait until a pipe can be used, or its other end is gone, as the next call will find. Raises TimeoutError."""
    poll = select.poll()
    poll.register(pipe, event)
    left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
    if not poll.poll(left):
        raise TimeoutError


def shared(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> Worker:
    """The worker of this thread for a command: started at the first call, ended with the process."""
    key = (threading.get_ident(), tuple(argv))
    if key in _workers and not _workers[key].alive:
        _workers.pop(key).stop(grace_seconds=0)
    if key not in _workers:
        atexit.unregister(stop_all)  # once, however often one is started
        atexit.register(stop_all)
        _workers[key] = Worker(argv, cwd=cwd, env=env, log=log)
    return _workers[key]


def stop_all(**how: float) -> None:
    """End the workers of this process. `how` goes to `Worker.stop`."""
    while _workers:
        _workers.popitem()[1].stop(**how)
