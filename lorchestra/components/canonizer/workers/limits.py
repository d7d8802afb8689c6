"""What a process that works on records or schemas may have: some time, some memory, and no one to talk to."""

from __future__ import annotations

import mmap
import os
import signal

from lorchestra.base.errors import Code, Failure
from lorchestra.platform import limits

SECONDS = 5.0
"""CPU time for one record, and for compiling one transform. A clock on the wall would go on while a machine sleeps."""
MEMORY = 1024 * 1024 * 1024
"""How much a process may take beyond what it holds when it is bound."""
LEAST = 64 * 1024 * 1024
"""How much a worker takes for code and everyday records. With less, what goes wrong would be blamed on the records."""


def require_memory() -> None:
    """Raise Failure(TRY_LATER) where the system would not let this process take what a worker needs at least."""
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
    """Leave signals of the terminal to the parent; let the standard streams lead nowhere, whatever a library prints."""
    for everybodys in (signal.SIGINT, signal.SIGHUP):  # the parent decides what they mean
        signal.signal(everybodys, signal.SIG_IGN)
    for ending in (signal.SIGTERM, signal.SIGPROF):
        signal.signal(ending, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)


def bound_memory() -> None:
    """From here on, what takes `MEMORY` more fails or ends the process."""
    limits.limit_memory(MEMORY)


def allow_time() -> None:
    """From here on, `SECONDS` of CPU time end the process, until `stop_time`."""
    # The default action of the signal ends the process, whatever native code it is in.
    signal.setitimer(signal.ITIMER_PROF, SECONDS)


def stop_time() -> None:
    """The work that was allowed time is done."""
    signal.setitimer(signal.ITIMER_PROF, 0)
