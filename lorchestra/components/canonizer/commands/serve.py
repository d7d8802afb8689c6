"""Jobs in, results out: one JSON object a line on stdin, one on stdout, in the same order, until the input ends.

{"op": "canonize", "id": "...", "inputs": [{"path": "...", "meta": "..."}], "schemas": "...",
 "output": "...", "rejects": "...", "lineage": "...", "skip_invalid": true,
 "require_checksums": true, "max_rejects": null}
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import orjson

from lorchestra.components.canonizer.job import serve
from lorchestra.components.canonizer.workers.pool import Pool
from lorchestra.components.canonizer.workers.protocol import write_all

LONGEST = 16 * 1024 * 1024
"""Bytes of a job: some hundred thousand inputs."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Nothing to configure: a job says all."""


def run(arguments: argparse.Namespace) -> int:
    """Answer jobs until stdin ends."""
    channel = _private_channel()
    pool = Pool()

    def send(answer: dict[str, Any]) -> None:
        write_all(channel, orjson.dumps(answer) + b"\n")

    try:
        while line := _job():
            if not line.isspace():
                send(serve.answer(line, pool, send))
    finally:
        pool.close()
    return 0


def _job() -> bytes:
    """The next line; of one that is too long the beginning, which no job is."""
    line = rest = sys.stdin.buffer.readline(LONGEST)
    while len(rest) == LONGEST and not rest.endswith(b"\n"):
        rest = sys.stdin.buffer.readline(LONGEST)
    return line


def _private_channel() -> int:
    """The descriptor of the results; anything else that is printed to stdout is discarded."""
    sys.stdout.flush()
    channel = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return channel
