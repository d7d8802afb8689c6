"""A small coverage-guided fuzzer: mutates inputs, and keeps those that reach a new line of the package.

    python -m tests.fuzz.fuzzer SECONDS [TARGET...]

It is written in Python, because the known fuzzers need compilers or lack wheels for some of our Python versions. It has
no own idea of a format; the corpus, `corpus/{target}/`, gives it that. Inputs that reach new lines are added there.
"""

from __future__ import annotations

import hashlib
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
PACKAGE = str(Path(__file__).parents[2] / "lorchestra")
SLOWEST_SECONDS = 5.0
_LONGEST = 4096
_INTERESTING = (b"\0", b"\xff", b"\xc3", b"\r\n", b"\x1b[2J", b"\xe2\x80\xa8", b'"', b"\\", b"{", b"[", b"&a ", b"*a",
                b"9" * 20, b"-0", b"1e999", b"NaN", b"=?utf-8?b?", b"?=", b"<!--", b"${", b"%", b"\\ud800",
                b"null")  # fmt: skip


class Slow(BaseException):
    """A target took too long. Not an Exception, so that no target can catch it."""


def corpus(target: str) -> list[bytes]:
    """The kept inputs of a target."""
    return [file.read_bytes() for file in sorted((CORPUS / target).iterdir())]


def mutated(source: random.Random, inputs: list[bytes]) -> bytes:
    """An input with one to four random changes."""
    data = bytearray(source.choice(inputs))
    for _ in range(source.randint(1, 4)):
        at = source.randint(0, len(data))
        end = min(len(data), at + source.randint(0, 16))
        change = source.randrange(6)
        if change == 0:
            del data[at:end]
        elif change == 1:
            data[at:at] = source.choice(_INTERESTING)
        elif change == 2:
            data[at:at] = data[at:end] * source.randint(1, 50)
        elif change == 3:
            other = source.choice(inputs)
            start = source.randint(0, len(other))
            data[at:end] = other[start : start + source.randint(0, 64)]
        elif data:
            place = min(at, len(data) - 1)
            data[place] = data[place] ^ (1 << source.randrange(8)) if change == 4 else source.randrange(256)
    return bytes(data[:_LONGEST])


def attempt(run: Callable[[bytes], object], data: bytes, lines: set[tuple[str, int]] | None = None) -> None:
    """Run a target on an input, in bounded time; add the lines of the package that it reaches.

    Raises whatever the target does not expect, and Slow.
    """

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        file = frame.f_code.co_filename
        if lines is None or not file.startswith(PACKAGE):
            return None
        if event == "line":
            lines.add((file, frame.f_lineno))
        return trace

    def slow(_number: int, _frame: FrameType | None) -> None:
        raise Slow

    before = signal.signal(signal.SIGALRM, slow)
    signal.setitimer(signal.ITIMER_REAL, SLOWEST_SECONDS)
    tracing = sys.gettrace()
    if lines is not None:
        sys.settrace(trace)
    try:
        run(data)
    finally:
        sys.settrace(tracing)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fuzz(target: str, seconds: float, source: random.Random) -> Iterator[bytes]:
    """Try inputs for some time; yield those that fail. New inputs that reach new lines are kept."""
    inputs, seen = corpus(target), set[tuple[str, int]]()
    for data in inputs:
        attempt(TARGETS[target], data, seen)
    end, tried = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data, reached = mutated(source, inputs), set[tuple[str, int]]()
        tried += 1
        try:
            attempt(TARGETS[target], data, reached)
        except (Exception, Slow):
            yield data
            continue
        if not reached <= seen:
            seen |= reached
            inputs.append(data)
            (CORPUS / target / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    print(f"{target}: {tried:,} inputs, {len(seen):,} lines reached, {len(inputs):,} inputs in the corpus")


def main() -> int:
    """Fuzz all targets, or those that are named, each for the same time."""
    seconds, targets, failures = float(sys.argv[1]), sys.argv[2:] or list(TARGETS), 0
    for target in targets:
        for data in fuzz(target, seconds / len(targets), random.Random()):
            failures += 1
            print(f"{target} fails: {data!r}")
            if failures >= 10:
                break
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
