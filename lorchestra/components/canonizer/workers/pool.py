"""Worker processes behind pipes: chunks of lines go out, results come back in order, even if a record kills a worker.

A worker holds one chunk at a time. If it dies, its successor gets the lines of the chunk one by one, so that only the
record that caused it is rejected.
"""

from __future__ import annotations

import select
from collections.abc import Iterable, Iterator
from typing import Any

from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.record.requests import Check, Chunk, Converted, Order
from lorchestra.components.canonizer.record.rules import Reject, Stage
from lorchestra.components.canonizer.workers.child import Child, Died

_AHEAD = 4
"""How many chunks a worker may be ahead of the one whose turn it is: what bounds memory."""


class Worker(Child):
    """A child that knows one transform or more: the one prepared last by its key, and the chunk that it works on."""

    def __init__(self, others: Iterable[Worker]) -> None:
        super().__init__(_serve, others)
        self.key: str | None = None
        self.task: tuple[int, Chunk] | None = None


def _serve(requests: int, replies: int) -> None:
    from lorchestra.components.canonizer.workers import worker

    worker.serve(requests, replies)


class Pool:
    """Workers that are started when they are needed, kept between inputs, and replaced when they die."""

    def __init__(self, size: int = 1) -> None:
        self._size = size
        self._workers: list[Worker] = []
        self._order: Order | Check = Order("")
        self._identity: dict[str, Any] = {}

    def prepare(self, order: Order | Check) -> dict[str, Any]:
        """Have a transform compiled; returns `transform` as a lineage writes it, `engine` and `engine_version`.

        Or have records checked against a schema alone: those that fit it are dropped then. Raises Failure, also where
        a worker dies over it.
        """
        self._order = order
        worker = self._any_idle()
        has_worked = worker.key is not None
        identity = self._prepared(worker)
        if identity is None and has_worked:
            identity = self._prepared(self._any_idle())  # it may have been killed while nothing was asked of it
        if identity is None:
            code = Code.TRANSFORM_INVALID if isinstance(order, Order) else Code.SCHEMA_INVALID
            raise Failure(
                code, f"{order.label}: compiling it and its schemas takes more time or memory than a worker may use"
            )
        self._identity = identity
        return identity

    def convert(self, chunks: Iterator[Chunk], source: int | None = None) -> Iterator[tuple[Chunk, Converted]]:
        """Convert chunks by the transform prepared last; results come in the order of the chunks, as early as they can.

        `source` is the descriptor that the chunks are read from, where waiting for it must not hold results back.
        """
        done: dict[int, tuple[Chunk, Converted]] = {}
        turn = handed_out = 0
        more = True
        try:
            while more or done or self._busy():
                if turn in done:
                    yield done.pop(turn)
                    turn += 1
                elif more and self._has_room(handed_out - turn) and self._input_comes_first(source):
                    chunk = next(chunks, None)
                    if chunk is None:
                        more = False
                    else:
                        self._hand_out(self._idle(), handed_out, chunk)
                        handed_out += 1
                elif self._busy():
                    place, chunk, converted = self._next_outcome()
                    done[place] = chunk, converted
        finally:
            for worker in self._busy():
                self._remove(worker)

    def close(self) -> None:
        """End all workers."""
        while self._workers:
            self._workers.pop().end()

    def _prepared(self, worker: Worker) -> dict[str, Any] | None:
        worker.send({"op": "prepare", **self._order._asdict()})
        try:
            identity, _ = worker.reply()
        except Died:
            self._remove(worker)
            return None
        worker.key = identity["key"]
        return identity

    def _busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.task is not None]

    def _has_room(self, ahead: int) -> bool:
        return len(self._busy()) < self._size and ahead < _AHEAD * self._size

    def _input_comes_first(self, source: int | None) -> bool:
        busy = self._busy()
        if source is None or not busy:
            return True
        readable, _, _ = select.select([source, *(worker.replies for worker in busy)], [], [])
        return source in readable

    def _any_idle(self) -> Worker:
        worker = next((worker for worker in self._workers if worker.task is None), None)
        if worker is None:
            worker = Worker(self._workers)
            self._workers.append(worker)
        return worker

    def _idle(self) -> Worker:
        worker = self._any_idle()
        known = worker.key == self._identity["key"]
        if not known and (prepared := self._prepared(worker)) != self._identity:
            if prepared is None:
                raise Failure(Code.COMPONENT_CRASHED, f"{self._order.label}: a worker crashed before it began")
            raise Failure(Code.INPUT_CHANGED, f"{self._order.label}: the transform changed during the run")
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
            converted = _converted(*worker.reply())
            worker.task = None
            return converted
        except Died as died:
            rule = died.rule
        self._remove(worker)
        lines = chunk.lines.rstrip(b"\n").split(b"\n")
        if len(lines) == 1:
            return Converted(rejects=[Reject(chunk.first, Stage.TRANSFORM, rule)], records=1)
        return self._one_by_one(Chunk(number, line) for number, line in enumerate(lines, chunk.first))

    def _one_by_one(self, singles: Iterator[Chunk]) -> Converted:
        total = Converted()
        for single in singles:
            worker = self._idle()
            self._hand_out(worker, 0, single)
            total = total.and_then(self._outcome(worker, single))
            if total.not_json is not None:
                break
        return total

    def _remove(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.end()


def _converted(header: dict[str, Any], output: bytes) -> Converted:
    rejects = [Reject(*reject) for reject in header.pop("rejects")]
    return Converted(output=output, rejects=rejects, **header)
