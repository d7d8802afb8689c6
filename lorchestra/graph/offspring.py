"""doit's own processes (`-n`), made to end when they should: at a signal, and when their parent is gone.

By itself such a process turns a signal into an exception wherever it happens to be, be it inside a queue's lock, and
waits for ever for work from a parent that was killed, holding the pipeline's lock.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from types import FrameType

from lorchestra.base.errors import Exit
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


def _leave(_number: int, _frame: FrameType | None) -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    runner.end_all()
    worker.stop_all(grace_seconds=0)
    os._exit(Exit.INTERRUPTED)
