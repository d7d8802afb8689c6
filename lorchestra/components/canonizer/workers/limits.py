"""The limits of worker processes: time, memory, and no standard streams."""

from __future__ import annotations

import mmap
import os
import signal

from lorchestra.base.errors import Code, Failure
from lorchestra.platform import limits

SECONDS = 5.0
"""CPU time for one record, and for compiling one transform. Wall-clock time would pass while a machine sleeps."""
MEMORY = 1024 * 1024 * 1024
"""How much memory a process may take in addition to what it has when the limit is set."""
LEAST = 64 * 1024 * 1024
"""What a worker needs for code and usual records. With less, records would be rejected for lack of memory."""


def require_memory() -> None:
    """Raise Failure(TRY_LATER) if the system does not grant the memory that a worker needs."""
    try:
        mmap.mmap(-1, LEAST, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
        return
    except OSError:
        pass
    raise Failure(
        Code.TRY_LATER,
        f"not enough memory: a worker needs {LEAST >> 20} MiB",
        advice="Raise the limit (`ulimit -v`, `ulimit -d`, the container's limit), or free memory and try again.",
    )


def isolate() -> None:
    """Leave the terminal's signals to the parent; send the standard streams to /dev/null."""
    for shared in (signal.SIGINT, signal.SIGHUP):  # the parent handles them
        signal.signal(shared, signal.SIG_IGN)
    for ending in (signal.SIGTERM, signal.SIGPROF):
        signal.signal(ending, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)


def bound_memory() -> None:
    """From here on, taking more than `MEMORY` fails or ends the process."""
    limits.limit_memory(MEMORY)


def allow_time() -> None:
    """From here on, `SECONDS` of CPU time end the process, until `stop_time`."""
    # The default action of the signal ends the process, also inside native code.
    signal.setitimer(signal.ITIMER_PROF, SECONDS)


def stop_time() -> None:
    """Remove the limit of `allow_time`."""
    signal.setitimer(signal.ITIMER_PROF, 0)
