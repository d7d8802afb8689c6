"""doit's own processes (`-n`), made to end when they should: at a signal, and when their parent is gone.

By themselves they turn a signal into an exception wherever they happen to be, be it inside a queue's lock, and wait for
each other at exit; and those whose parent was killed wait for ever, holding the pipeline's lock.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

from lorchestra.base import program
from lorchestra.base.errors import OUTCOMES, Code, Exit
from lorchestra.process import runner, worker

_LOOK_EVERY = 0.5
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@functools.cache
def govern() -> None:
    """Have every process that is forked from this one end its programs and itself at a signal, or as an orphan."""
    os.register_at_fork(after_in_child=_begin)


def _begin() -> None:
    for number in _ENDING:
        signal.signal(number, _leave)
    signal.signal(signal.SIGUSR1, _look_up)
    threading.Thread(target=_watch, args=(os.getppid(), threading.get_ident()), daemon=True).start()


def _watch(parent: int, main: int) -> None:
    """Notice that the parent is gone, and see that the main thread notices a signal.

    A signal that comes just before the main thread begins to wait does not wake it: it is roused now and then.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    while True:
        time.sleep(_LOOK_EVERY)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
        signal.pthread_kill(main, signal.SIGUSR1)


def _look_up(_number: int, _frame: FrameType | None) -> None:
    """To be roused is enough."""


def end(name: str) -> NoReturn:
    """End an interrupted run: tell it, end what it started, and leave without waiting for queues."""
    _deafen()
    program.tell(name, "interrupted", OUTCOMES[Code.INTERRUPTED].advice)
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    _end_programs()
    for child in children:
        child.join(runner.GRACE_SECONDS + 1)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(Exit.INTERRUPTED)


def _leave(_number: int, _frame: FrameType | None) -> None:
    _deafen()
    _end_programs()
    os._exit(Exit.INTERRUPTED)


def _deafen() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _end_programs() -> None:
    runner.end_all()
    worker.stop_all(grace_seconds=0)
