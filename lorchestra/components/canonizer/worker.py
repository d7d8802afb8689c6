"""The process that runs transforms: it alone touches engines, validators and the content of records.

It is bounded: a record that takes too long, or more memory than is allowed, ends this process and nothing else. Its
standard streams lead nowhere, so that no library's complaint about a record can be seen.
"""

from __future__ import annotations

import os
import resource
import signal
from collections import OrderedDict
from pathlib import Path
from typing import Any

from lorchestra.base.errors import Code, Failure
from lorchestra.base.program import place
from lorchestra.components.canonizer import frames, transforms
from lorchestra.components.canonizer.converter import Converter

RECORD_SECONDS = 10.0
MEMORY = 512 * 1024 * 1024
"""How much a worker may take beyond what it holds when its first transform is ready."""
_MOST_PREPARED = 64


def serve(requests: int, replies: int) -> None:
    """Answer requests until their end; see `pool` for what they are."""
    _isolate()
    workshop = Workshop()
    while (request := frames.receive(requests)) is not None:
        header, blob = request
        try:
            answer, output = workshop.answer(header, blob)
        except Failure as failure:
            answer, output = {"failure": [failure.code, failure.what, failure.advice]}, b""
        except Exception as fault:
            what = f"unexpected {type(fault).__name__} at {place(fault)}"
            answer, output = {"failure": [Code.UNEXPECTED, what, None]}, b""
        frames.send(replies, answer, output)


class Workshop:
    """What a worker keeps between requests: transforms compiled before, by the digests of all their bytes."""

    def __init__(self) -> None:
        self._prepared: OrderedDict[str, Converter] = OrderedDict()
        self._bounded = False

    def answer(self, header: dict[str, Any], blob: bytes) -> tuple[dict[str, Any], bytes]:
        """The reply to one request. Raises Failure."""
        if header["op"] == "prepare":
            return self._prepare(header), b""
        converted = self._prepared[header["key"]].lines(blob, header["first"], _arm)
        signal.setitimer(signal.ITIMER_REAL, 0)
        counts = converted._asdict() | {"output": None, "rejects": [tuple(reject) for reject in converted.rejects]}
        return counts, converted.output

    def _prepare(self, header: dict[str, Any]) -> dict[str, Any]:
        from lorchestra.components.canonizer import engines
        from lorchestra.components.canonizer.schemas import Schemas

        meta_path = Path(header["meta"])
        transform = transforms.load(meta_path, require_checksum=header["require_checksums"])
        root = Path(header["schemas"]) if header["schemas"] else transforms.schemas_of(meta_path)
        schemas = Schemas(root)
        before = schemas.validator(transform.meta.from_schema)
        after = schemas.validator(transform.meta.to_schema)
        engine = engines.load(header["engine"] or transform.meta.engine)
        identity = {
            "id": transform.id,
            "version": transform.meta.version,
            "spec_sha256": transform.spec_sha256,
            "meta_sha256": transform.meta_sha256,
            "from_schema": str(before.schema.key),
            "from_schema_sha256": before.schema.sha256,
            "to_schema": str(after.schema.key),
            "to_schema_sha256": after.schema.sha256,
        }
        key = f"{engine.NAME} {' '.join(identity.values())}"
        if key not in self._prepared:
            self._prepared[key] = Converter(before, compiled(engine, transform), after)
            if len(self._prepared) > _MOST_PREPARED:
                self._prepared.popitem(last=False)
        if not self._bounded:
            _bound_memory()
            self._bounded = True
        return {"key": key, "transform": identity, "engine": engine.NAME, "engine_version": engine.version()}


def compiled(engine: Any, transform: transforms.Transform) -> Any:
    """A transform's spec, ready to evaluate. Raises Failure(TRANSFORM_INVALID)."""
    from lorchestra.components.canonizer import functions
    from lorchestra.components.canonizer.engines import SyntaxFault

    source, used = functions.used_by(transform.spec)
    try:
        engine.compile(transform.spec, {})
        return engine.compile(source, used)
    except SyntaxFault:
        pass
    raise Failure(Code.TRANSFORM_INVALID, f"{transform.spec_path}: not a JSONata expression")


def _arm() -> None:
    # The default action of SIGALRM ends the process, whatever native code it is in.
    signal.setitimer(signal.ITIMER_REAL, RECORD_SECONDS)


def _isolate() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)


def _bound_memory() -> None:
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    held = next(int(line.split()[1]) for line in status if line.startswith("VmData:")) * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = held + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))
