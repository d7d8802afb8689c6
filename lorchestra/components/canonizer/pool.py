"""Workers behind pipes: chunks of lines go out, what became of them comes back, in order, whatever a record does.

A worker holds one chunk at a time. When it dies over a chunk, its successor gets the chunk's lines one by one, so that
the one record that kills is found, set aside, and the rest goes on.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer import frames
from lorchestra.components.canonizer.converter import Converted
from lorchestra.components.canonizer.rules import Reject, Rule, Stage

_KILLED_BY = {signal.SIGALRM: Rule.TIME_LIMIT, signal.SIGABRT: Rule.MEMORY_LIMIT, signal.SIGKILL: Rule.MEMORY_LIMIT}


_AHEAD = 4
"""How many chunks a worker may be ahead of the one whose turn it is: what bounds memory."""


class Chunk(NamedTuple):
    """Whole lines, and the number of the first of them."""

    first: int
    lines: bytes


class Died(Exception):
    """A worker ended over a request; `rule` says by what."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.rule = rule


class Worker:
    """One child process and the pipes to it."""

    def __init__(self, others: list[Worker]) -> None:
        request_end, self._requests = os.pipe()
        self.replies, reply_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _live(request_end, reply_end, [self._requests, self.replies, *(fd for o in others for fd in o.ends)])
        os.close(request_end)
        os.close(reply_end)
        self.key: str | None = None
        self.task: tuple[int, Chunk] | None = None

    @property
    def ends(self) -> tuple[int, int]:
        """The descriptors on our side."""
        return self._requests, self.replies

    def send(self, header: Mapping[str, Any], blob: bytes = b"") -> None:
        """Hand over a request. A worker that is gone is noticed when its reply is read."""
        with contextlib.suppress(BrokenPipeError):
            frames.send(self._requests, dict(header), blob)

    def reply(self) -> tuple[dict[str, Any], bytes]:
        """The reply to the last request. Raises Died, or the Failure that the worker met."""
        message = frames.receive(self.replies)
        if message is None:
            raise Died(self._rule_of_death())
        if "failure" in message[0]:
            code, what, advice = message[0]["failure"]
            raise Failure(Code(code), what, advice=advice)
        return message

    def end(self) -> None:
        """Stop the process, whatever it does."""
        for descriptor in self.ends:
            os.close(descriptor)
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    def _rule_of_death(self) -> Rule:
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return _KILLED_BY.get(signal.Signals(os.WTERMSIG(status)), Rule.CRASH) if os.WIFSIGNALED(status) else Rule.CRASH


def _live(requests: int, replies: int, foreign: list[int]) -> None:
    status = 1
    try:
        for descriptor in foreign:
            os.close(descriptor)
        from lorchestra.components.canonizer import worker

        worker.serve(requests, replies)
        status = 0
    except BrokenPipeError:
        status = 0
    finally:
        os._exit(status)


class Pool:
    """Workers that are started when they are needed, kept between inputs, and replaced when they die."""

    def __init__(self, size: int = 1) -> None:
        self._size = size
        self._workers: list[Worker] = []
        self._order: Mapping[str, Any] = {}
        self._identity: dict[str, Any] = {}

    def prepare(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Have a transform compiled; returns what it is. Raises Failure, also where the worker dies over it."""
        self._order = {"op": "prepare", **order}
        if not self._workers:
            self._workers.append(Worker([]))
        self._identity = self._prepared(self._workers[0])
        return self._identity

    def convert(self, chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, Converted]]:
        """Convert chunks by the transform prepared last; results come in the order of the chunks."""
        done: dict[int, tuple[Chunk, Converted]] = {}
        numbered = enumerate(chunks)
        waiting = next(numbered, None)
        turn = 0
        try:
            while waiting or done or self._busy():
                while waiting and len(self._busy()) < self._size and waiting[0] - turn < _AHEAD * self._size:
                    self._hand_out(self._idle(), *waiting)
                    waiting = next(numbered, None)
                if turn in done:
                    yield done.pop(turn)
                    turn += 1
                else:
                    place, chunk, converted = self._next_outcome()
                    done[place] = chunk, converted
        finally:
            for worker in self._busy():
                self._bury(worker)

    def close(self) -> None:
        """End all workers."""
        while self._workers:
            self._workers.pop().end()

    def _prepared(self, worker: Worker) -> dict[str, Any]:
        worker.send(self._order)
        died = False
        try:
            identity, _ = worker.reply()
        except Died:
            died = True
        if died:
            self._bury(worker)
            raise Failure(Code.TRANSFORM_INVALID, f"{self._order['meta']}: the engine crashed while compiling the spec")
        worker.key = identity["key"]
        return identity

    def _busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.task is not None]

    def _idle(self) -> Worker:
        worker = next((worker for worker in self._workers if worker.task is None), None)
        if worker is None:
            worker = Worker(self._workers)
            self._workers.append(worker)
        if worker.key != self._identity["key"] and self._prepared(worker) != self._identity:
            raise Failure(Code.INPUT_CHANGED, f"{self._order['meta']}: the transform changed while it ran")
        return worker

    def _hand_out(self, worker: Worker, place: int, chunk: Chunk) -> None:
        worker.task = place, chunk
        worker.send({"op": "lines", "key": self._identity["key"], "first": chunk.first}, chunk.lines)

    def _next_outcome(self) -> tuple[int, Chunk, Converted]:
        busy = self._busy()
        if len(busy) > 1:
            readable, _, _ = select.select([worker.replies for worker in busy], [], [])
            busy = [worker for worker in busy if worker.replies in readable]
        assert busy[0].task is not None
        place, chunk = busy[0].task
        return place, chunk, self._outcome(busy[0], chunk)

    def _outcome(self, worker: Worker, chunk: Chunk) -> Converted:
        try:
            converted = _converted(worker.reply())
            worker.task = None
            return converted
        except Died as died:
            rule = died.rule
        self._bury(worker)
        lines = chunk.lines.rstrip(b"\n").split(b"\n")
        if len(lines) == 1:
            return Converted(b"", [], [Reject(chunk.first, Stage.TRANSFORM, rule)], 1, 0, 0, None)
        return self._one_by_one(Chunk(number, line) for number, line in enumerate(lines, chunk.first))

    def _one_by_one(self, singles: Iterator[Chunk]) -> Converted:
        total = Converted(b"", [], [], 0, 0, 0, None)
        for single in singles:
            worker = self._idle()
            self._hand_out(worker, 0, single)
            total = total.and_then(self._outcome(worker, single))
            if total.not_json is not None:
                break
        return total

    def _bury(self, worker: Worker) -> None:
        worker.end()
        self._workers = [w for w in self._workers if w is not worker]


def _converted(message: tuple[dict[str, Any], bytes]) -> Converted:
    header, output = message
    return Converted(**{**header, "output": output, "rejects": [Reject(*r) for r in header["rejects"]]})
