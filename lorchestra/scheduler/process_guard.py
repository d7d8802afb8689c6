"""doit's own processes (`-n`), made to end when they should: at a signal, and when their parent is gone.

By themselves they turn a signal into an exception wherever they happen to be, be it inside a queue's lock, and wait for
each other at exit; those whose parent was killed wait for ever, holding the pipeline's lock; and the parent waits for
ever for the result of one that was killed, as a system does that runs out of memory.
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
from collections.abc import Callable
from multiprocessing import util
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import NoReturn

from doit.runner import MRunner

from lorchestra.base import program
from lorchestra.base.errors import HANDLING, Code, Exit
from lorchestra.process import runner, worker

_LOOK_SOON, _LOOK_EVERY = 0.01, 0.5
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_born: set[BaseProcess] = set()


class Lost(KeyboardInterrupt):
    """A process ended before its time. The run is broken off as by an interrupt: nobody will send what it waits for."""


@functools.cache
def govern() -> None:
    """Have every process that is forked from this one end its programs and itself at a signal, or as an orphan.

    When one ends before its time, `Lost` is raised in this one. Those that are left when this one ends are ended, for
    multiprocessing would wait for them.
    """
    util.Finalize(None, _terminate, exitpriority=0)  # which precedes the wait
    os.register_at_fork(after_in_child=functools.partial(_begin, os.getpid()), after_in_parent=_attend)


def _begin(parent: int) -> None:
    def look(_number: int, _frame: FrameType | None) -> None:
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    for number in _ENDING:
        signal.signal(number, _leave)
    _look_often(look)


@functools.cache
def _attend() -> None:
    _look_often(_miss)


def _miss(_number: int, frame: FrameType | None) -> None:
    """Raise `Lost` where a process is, and the run waits for results; not while it is being brought to its end."""
    _born.update(multiprocessing.active_children())
    status = next((child.exitcode for child in _born if child.exitcode), 0)
    if status and _is_running_tasks(frame):
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise Lost(f"a process of this run {how}{', perhaps for want of memory' if status == -signal.SIGKILL else ''}")


def _is_running_tasks(frame: FrameType | None) -> bool:
    while frame and frame.f_code is not MRunner.run_tasks.__code__:
        frame = frame.f_back
    return frame is not None


def _look_often(look: Callable[[int, FrameType | None], None]) -> None:
    """Call something in the main thread soon, and then now and then.

    It also sees to it that a signal is noticed that came just before the main thread began to wait.
    """
    main = threading.get_ident()

    def rouse() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        pause = _LOOK_SOON
        while True:
            time.sleep(pause)
            pause = min(2 * pause, _LOOK_EVERY)
            signal.pthread_kill(main, signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, look)
    threading.Thread(target=rouse, daemon=True).start()


def end(name: str, interrupt: BaseException) -> NoReturn:
    """End an interrupted run: tell it, end what it started, and leave without waiting for queues."""
    _deafen()
    program.tell(name, str(interrupt) or "interrupted", HANDLING[Code.INTERRUPTED].advice)
    children = _terminate()
    _end_programs()
    for child in children:
        child.join(runner.GRACE_SECONDS + 1)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(Exit.UNEXPECTED if isinstance(interrupt, Lost) else Exit.INTERRUPTED)


def _terminate() -> list[BaseProcess]:
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    return children


def _leave(_number: int, _frame: FrameType | None) -> None:
    _deafen()
    _end_programs()
    os._exit(Exit.INTERRUPTED)


def _pass_over(_number: int, _frame: FrameType | None) -> None:
    """Where a signal was ignored by the system, Python would complain of one that came a moment before."""


def _deafen() -> None:
    for number in _ENDING:
        signal.signal(number, _pass_over)


def _end_programs() -> None:
    runner.end_all()
    worker.stop_all(grace_seconds=0)
