"""The process that runs transforms: it alone touches engines, validators and the content of records.

It is bounded: a record that takes too long, or more memory than is allowed, ends this process and nothing else. Its
standard streams lead nowhere, so that no library's complaint about a record can be seen.
"""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import Any

from lorchestra.base.errors import Code, Failure
from lorchestra.base.program import place
from lorchestra.components.canonizer import frames
from lorchestra.components.canonizer.frames import Order
from lorchestra.components.canonizer.preparing import Prepared, is_current, prepare

RECORD_SECONDS = 5.0
"""CPU time for one record, and for compiling one transform. A clock on the wall would go on while a machine sleeps."""
MEMORY = 1024 * 1024 * 1024
"""How much a worker may take beyond what it holds at its start, then beyond what it holds with its first transform."""
_MOST_PREPARED = 64


def serve(requests: int, replies: int) -> None:
    """Answer requests until their end."""
    _isolate()
    # The engines' allocator would reserve a gigabyte at once, and no limit could tell what is used. In KiB.
    os.environ["MIMALLOC_ARENA_RESERVE"] = "65536"
    workshop = Workshop()
    while (request := frames.receive(requests)) is not None:
        try:
            answer, output = workshop.answer(*request)
        except Failure as failure:
            answer, output = {"failure": [failure.code, failure.what, failure.advice]}, b""
        except Exception as fault:
            what = f"unexpected {type(fault).__name__} at {place(fault)}"
            answer, output = {"failure": [Code.UNEXPECTED, what, None]}, b""
        frames.send(replies, answer, output)


class Workshop:
    """What a worker keeps between requests: transforms that it compiled before."""

    def __init__(self) -> None:
        self._prepared: dict[Order, Prepared] = {}
        _bound_memory()

    def answer(self, header: dict[str, Any], blob: bytes) -> tuple[dict[str, Any], bytes]:
        """The reply to one request: to prepare a transform, or to convert lines. Raises Failure."""
        operation = header.pop("op")
        if operation == "prepare":
            return self._prepare(Order(**header)), b""
        return self._convert(header["key"], header["first"], blob)

    def _prepare(self, order: Order) -> dict[str, Any]:
        first = not self._prepared
        known = self._prepared.pop(order, None)
        _allow_time()
        if known is None or not is_current(known):
            known = prepare(order)
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._prepared[order] = known  # the one used last stands last
        if len(self._prepared) > _MOST_PREPARED:
            self._prepared.pop(next(iter(self._prepared)))
        if first:
            _bound_memory()
        return known.identity

    def _convert(self, key: str, first: int, lines: bytes) -> tuple[dict[str, Any], bytes]:
        converter = next(p.converter for p in reversed(self._prepared.values()) if p.identity["key"] == key)
        converted = converter.lines(lines, first, _allow_time)
        signal.setitimer(signal.ITIMER_PROF, 0)
        header = converted._asdict() | {"rejects": [tuple(reject) for reject in converted.rejects]}
        return header, header.pop("output")


def _bound_memory() -> None:
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    held = next(int(line.split()[1]) for line in status if line.startswith("VmData:")) * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = held + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))


def _allow_time() -> None:
    # The default action of the signal ends the process, whatever native code it is in.
    signal.setitimer(signal.ITIMER_PROF, RECORD_SECONDS)


def _isolate() -> None:
    for everybodys in (signal.SIGINT, signal.SIGHUP):  # the parent decides what they mean
        signal.signal(everybodys, signal.SIG_IGN)
    for ending in (signal.SIGTERM, signal.SIGPROF):
        signal.signal(ending, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
