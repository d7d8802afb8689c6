"""A child process behind pipes: requests go in, replies come out, and the cause of its death is known.

It is forked, so that the parent's imports are available and nothing of a record is in an argument list. It ends with
its parent, even if the parent is killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

from lorchestra.base.errors import Code, Failure
from lorchestra.base.program import place
from lorchestra.components.canonizer.record.rules import Rule
from lorchestra.components.canonizer.workers import limits, protocol
from lorchestra.platform import descriptors

Serve = Callable[[int, int], object]
"""The life of a child: it reads requests from one descriptor and writes replies to another."""

_PIPE = 1024 * 1024
"""Bytes that a pipe holds, so that neither side waits within a chunk. The system may refuse more."""
_NO_MEMORY = (MemoryError, SystemError)
"""Raised if memory runs out; native code that cannot even create the exception raises SystemError."""
_ENDED_BY = {
    errno.ENOMEM: Rule.MEMORY_LIMIT,
    -signal.SIGABRT: Rule.MEMORY_LIMIT,
    -signal.SIGKILL: Rule.MEMORY_LIMIT,
    -signal.SIGPROF: Rule.TIME_LIMIT,
}
"""The cause, by the exit status of a child. Everything else is a crash."""

_FRAMES = 20_000
"""Recursion limit: walking a schema takes several calls per level, and schemas may have 200 levels."""


class Died(Exception):
    """A child ended during a request; `rule` is the cause."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.rule = rule


class Child:
    """One child process and the pipes to it. `others` are those whose pipes it must not keep open."""

    def __init__(self, serve: Serve, others: Iterable[Child] = ()) -> None:
        limits.require_memory()
        request_end, self._requests = os.pipe()
        self.replies, reply_end = os.pipe()
        lifeline, held = os.pipe()
        for pipe in (self._requests, self.replies):
            descriptors.enlarge_pipe(pipe, _PIPE)
        self._ends: tuple[int, ...] = self._requests, self.replies, held
        foreign = [end for child in (self, *others) for end in child._ends]
        self._pid = _forked((request_end, reply_end, lifeline, *self._ends))
        if self._pid == 0:
            _live(lambda: serve(request_end, reply_end), lifeline, foreign)
        for descriptor in (request_end, reply_end, lifeline):
            os.close(descriptor)

    def send(self, header: dict[str, Any], blob: bytes = b"") -> None:
        """Send a request. If the child is gone, `reply` raises Died."""
        with contextlib.suppress(BrokenPipeError):
            protocol.send(self._requests, header, blob)

    def reply(self) -> tuple[dict[str, Any], bytes]:
        """The reply to the last request. Raises Died, or the Failure that the child met."""
        message = protocol.receive(self.replies)
        if message is None:
            raise Died(self._rule_of_death())
        if "failure" in message[0]:
            code, what, advice = message[0]["failure"]
            raise Failure(Code(code), what, advice=advice)
        return message

    def end(self) -> None:
        """Kill the process; it holds nothing that would be lost."""
        for descriptor in self._ends:
            os.close(descriptor)
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    def _rule_of_death(self) -> Rule:
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return _ENDED_BY.get(os.waitstatus_to_exitcode(status), Rule.CRASH)


class Bounded:
    """A function from a number to a JSON value, run in a child with the time and memory limits of a record.

    A call raises Died if a limit was exceeded, or the Failure of the function. The next call starts a new child.
    """

    def __init__(self, function: Callable[[int], Any]) -> None:
        self._function = function
        self._child: Child | None = None

    def __call__(self, number: int = 0) -> Any:
        self._child = self._child or Child(self._serve)
        self._child.send({"number": number})
        try:
            return json.loads(self._child.reply()[1])
        except Died:
            self.close()
            raise

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _serve(self, requests: int, replies: int) -> None:
        limits.isolate()
        limits.bound_memory()
        sys.setrecursionlimit(_FRAMES)
        while (request := protocol.receive(requests)) is not None:
            limits.allow_time()
            protocol.send(replies, *answered(functools.partial(self._answer, request[0]["number"])))

    def _answer(self, number: int) -> tuple[dict[str, Any], bytes]:
        return {}, json.dumps(self._function(number)).encode()


def answered(call: Callable[[], tuple[dict[str, Any], bytes]]) -> tuple[dict[str, Any], bytes]:
    """The reply that a call returns, or the one that tells why there is none."""
    try:
        return call()
    except _NO_MEMORY:
        raise
    except Failure as failure:
        what = failure.message.encode(errors="backslashreplace").decode()  # a path may be no text
        return {"failure": [failure.code, what, failure.advice]}, b""
    except Exception as fault:
        return {"failure": [Code.UNEXPECTED, f"unexpected {type(fault).__name__} at {place(fault)}", None]}, b""


def _forked(pipes: Iterable[int]) -> int:
    try:
        return os.fork()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
    for descriptor in pipes:
        os.close(descriptor)
    advice = "Check `ulimit -u` and free memory, or try again later."
    raise Failure(Code.TRY_LATER, f"a worker cannot be started: {reason}", advice=advice)


def _live(life: Callable[[], object], lifeline: int, foreign: list[int]) -> None:
    status = 1
    try:
        for descriptor in foreign:
            os.close(descriptor)
        _end_with_parent(lifeline)
        life()
        status = 0
    except _NO_MEMORY:
        status = errno.ENOMEM
    finally:
        # Nothing that the parent began may be ended twice: no exit handler, no block left, no buffer flushed.
        os._exit(status)


def _end_with_parent(lifeline: int) -> None:
    """Have the system end this process when the other end of a pipe is closed: the parent alone holds that one."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)  # which is to end
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)
