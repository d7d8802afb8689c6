"""The process that runs transforms: only it uses engines, validators and the content of records.

A record that takes too much time or memory ends this process and nothing else. Its standard streams are /dev/null, so
that no message of a library about a record can be seen.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from lorchestra.components.canonizer.record.compiling import Prepared, is_current, prepare
from lorchestra.components.canonizer.record.requests import Check, Order
from lorchestra.components.canonizer.workers import limits, protocol
from lorchestra.components.canonizer.workers.child import answered

_MOST_PREPARED = 64
_KEPT = 8 * 1024 * 1024


def serve(requests: int, replies: int) -> None:
    """Answer requests until their end."""
    limits.isolate()
    # The engines' allocator would reserve a gigabyte at once, which would hide what is used from the limit. In KiB.
    os.environ["MIMALLOC_ARENA_RESERVE"] = "65536"
    # The first large block that is freed sets glibc's threshold for keeping memory; otherwise it would return memory to
    # the system after each record and request it again (mallopt(3), M_MMAP_THRESHOLD).
    bytes(_KEPT)
    compiled = Compiled()
    while (request := protocol.receive(requests)) is not None:
        protocol.send(replies, *answered(functools.partial(compiled.answer, *request)))


def _request(header: dict[str, Any]) -> Order | Check:
    if "meta" in header:
        return Order(**header | {"schemas": tuple(header["schemas"])})
    return Check(header["schema"], tuple(header["roots"]))


class Compiled:
    """What a worker keeps between requests: compiled transforms and schemas."""

    def __init__(self) -> None:
        self._prepared: dict[Order | Check, Prepared] = {}
        limits.bound_memory()

    def answer(self, header: dict[str, Any], blob: bytes) -> tuple[dict[str, Any], bytes]:
        """The reply to one request: compile a transform or a schema, or convert lines. Raises Failure."""
        if header.pop("op") == "lines":
            return self._convert(header["key"], header["first"], blob)
        return self._prepare(_request(header)), b""

    def _prepare(self, order: Order | Check) -> dict[str, Any]:
        first = not self._prepared
        known = self._prepared.pop(order, None)
        limits.allow_time()
        if known is None or not is_current(known):
            known = prepare(order)
        limits.stop_time()
        self._prepared[order] = known  # keep the one used last at the end
        if len(self._prepared) > _MOST_PREPARED:
            self._prepared.pop(next(iter(self._prepared)))
        if first:
            limits.bound_memory()
        return known.identity

    def _convert(self, key: str, first: int, lines: bytes) -> tuple[dict[str, Any], bytes]:
        converter = next(p.converter for p in reversed(self._prepared.values()) if p.identity["key"] == key)
        converted = converter.lines(lines, first, limits.allow_time)
        limits.stop_time()
        header = converted._asdict() | {"rejects": [tuple(reject) for reject in converted.rejects]}
        return header, header.pop("output")
