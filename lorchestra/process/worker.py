"""A program that is kept running for many jobs: it reads one JSON job per line and writes one JSON result per line.

So it starts and compiles once. Its stderr goes to a private file. If it dies, only the job that it had is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.process import guard
from lorchestra.storage import private

_LONGEST_RESULT = 1 << 20


class Worker:
    """One running program. One thread at a time may use it; any thread may `kill` it."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> None:
        """Start the program. Raises Failure(COMPONENT_MISSING | PERMISSION | NO_SPACE) if it cannot be started."""
        self._log = log
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
                    process_group=0,  # Ctrl-C reaches us; we end the program ourselves
                )
        except OSError as error:
            failure = from_os_error(error)
            if error.filename == argv[0] and failure.code is not Code.PERMISSION:
                failure = Failure(Code.COMPONENT_MISSING, f"{argv[0]}: cannot be started")
        if failure:
            raise failure
        guard.watch(self._child.pid)
        assert self._child.stdin and self._child.stdout
        self._in, self._out = self._child.stdin, self._child.stdout
        os.set_blocking(self._in.fileno(), False)

    def call(
        self,
        job: Mapping[str, Any],
        timeout_seconds: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Any]:
        """Send a job and wait for its result; pass on the progress that comes before it, if the job asks for that.

        Raises Failure(COMPONENT_CRASHED | TIMED_OUT) after ending the program.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        failure = Failure(Code.COMPONENT_CRASHED, f"the worker gave no answer; see {self._log} (private)")
        answer: object = None
        is_idle = False
        try:
            self._write(json.dumps(job).encode("ascii") + b"\n", deadline)
            answer = json.loads(self._read(deadline))
            while progress and (counts := _progress(answer)):
                progress(*counts)
                answer = json.loads(self._read(deadline))
            is_idle = not self._buffer  # anything after the result would be taken for the next job's result
        except TimeoutError:
            failure = Failure(Code.TIMED_OUT, f"the worker gave no answer in {timeout_seconds:g} s and was ended")
        except (BrokenPipeError, EOFError, ValueError, RecursionError):
            pass
        finally:
            if not is_idle:
                self.stop(grace_seconds=0)
        if isinstance(answer, dict) and answer.get("id") == job.get("id") and "status" in answer:
            return answer
        self.stop(grace_seconds=0)
        raise failure

    def stop(self, grace_seconds: float = 2.0) -> None:
        """End the program: close its input, wait, then kill it and whatever it left running."""
        if self._in.closed:
            return
        self._in.close()
        self._out.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(grace_seconds)
        self._kill_group()
        self._child.wait()
        guard.forget(self._child.pid)

    def kill(self) -> None:
        """Kill the program. A thread that waits for its result then finds it gone."""
        if self._child.returncode is None:
            self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return not self._in.closed and self._child.poll() is None

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


def _progress(answer: object) -> tuple[int, int] | None:
    """The counts in a line of progress; None for a result. The program cannot send anything but numbers."""
    counts = answer.get("progress") if isinstance(answer, dict) else None
    if not isinstance(counts, dict):
        return None
    records, rejected = counts.get("records_in"), counts.get("rejected")
    return (records, rejected) if isinstance(records, int) and isinstance(rejected, int) else None


def _wait(pipe: IO[bytes], event: int, deadline: float | None) -> None:
    """Wait until a pipe can be used, or its other end is gone, as the next call will find. Raises TimeoutError."""
    poll = select.poll()
    poll.register(pipe, event)
    left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
    if not poll.poll(left):
        raise TimeoutError
