"""What happens when a run is interrupted: Ctrl-C, SIGTERM, or a terminal that is closed.

Python runs signal handlers in the main thread, between two instructions. A signal that arrives just before that thread
begins to wait for a lock would go unnoticed until somebody releases the lock. Python can write each signal to a pipe at
once (`signal.set_wakeup_fd`); a thread reads the pipe and interrupts the wait.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

from lorchestra.base import program
from lorchestra.base.errors import HANDLING, Code, Exit
from lorchestra.process import runner

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE_SECONDS = 2.0
"""How long a raised KeyboardInterrupt may take to arrive. It is lost when a destructor happens to run."""

_raised = 0.0
_ending = False


@functools.cache
def catch() -> None:
    """Turn each of the signals into a KeyboardInterrupt in the main thread."""
    main = threading.get_ident()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def wake() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {*_SIGNALS, signal.SIGUSR1})
        while os.read(reader, 1):
            for _ in range(3):  # the first time, the main thread may not have begun to wait
                time.sleep(0.02)
                with contextlib.suppress(ProcessLookupError):
                    signal.pthread_kill(main, signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, _interrupt)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=wake, daemon=True, name="signals").start()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    global _raised
    if _ending:
        runner.stop_now()
    elif time.monotonic() - _raised > _PATIENCE_SECONDS:
        _raised = time.monotonic()
        raise KeyboardInterrupt


def begin_end() -> None:
    """From now on a further signal kills the programs that are still running; it interrupts nothing else."""
    global _ending
    _ending = True


def ignore() -> None:
    """The run is recorded: what arrives now changes nothing."""
    program.ignore_signals()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # from `wake`: Python resets other handlers before it exits


def end(name: str) -> NoReturn:
    """Report the interrupt and leave, without waiting for threads. `name` is the program's."""
    begin_end()
    program.tell(name, "interrupted", HANDLING[Code.INTERRUPTED].advice)
    runner.stop_all()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(Exit.INTERRUPTED)
