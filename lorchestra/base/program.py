"""How every program starts and ends: private files, signals, one place that catches failures, one exit status."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TextIO

from lorchestra.base.errors import Code, Exit, Failure, from_os_error
from lorchestra.platform import limits

_PACKAGE = f"{Path(__file__).parents[1]}/"


def begin() -> None:
    """Make the process private; SIGTERM and the loss of the terminal have the same effect as Ctrl-C.

    New files are accessible to their owner only, and core dumps, which could contain records, are disabled. A standard
    stream that the caller closed is replaced, because the next file to be opened would get its descriptor. Reading such
    an input, or writing such an output, fails as it does for `cat`; only messages are lost silently.
    """
    for name, mode, access in (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_RDWR)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, access), mode))
    os.umask(0o077)
    limits.forbid_core_files()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it
            signal.signal(number, _interrupt)
    atexit.register(ignore_signals)


def ignore_signals() -> None:
    """From now on the result is final: a signal could only add a traceback to it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def run(name: str, body: Callable[[], int]) -> int:
    """Run a program's body; return its exit status.

    A `Failure` is reported in two lines on stderr. Any other exception is a bug: its type and location are reported,
    its text is not, because it may contain parts of a record.
    """
    begin()
    status = _guarded(name, body)
    failure: Failure | None = None
    try:
        sys.stdout.flush()
        return status
    except OSError as error:
        abandon(sys.stdout)
        if not isinstance(error, BrokenPipeError):  # a reader that stops early, such as head, is no failure
            failure = from_os_error(error, "standard output")
    return status or (_report(name, failure) if failure else status)


def _guarded(name: str, body: Callable[[], int]) -> int:
    failure: Failure
    try:
        return body()
    except SystemExit as ended:  # by argparse, after --help or a usage error
        return ended.code if isinstance(ended.code, int) else Exit.OK
    except BrokenPipeError:
        return Exit.OK
    except KeyboardInterrupt:
        failure = Failure(Code.INTERRUPTED, "interrupted")
    except Failure as expected:
        failure = expected
    except OSError as error:
        failure = from_os_error(error)
    except Exception as error:
        failure = Failure(Code.UNEXPECTED, f"unexpected {type(error).__name__} at {place(error)}")
    return _report(name, failure)


def _report(name: str, failure: Failure) -> int:
    tell(name, failure.message, failure.advice)
    return failure.exit


def tell(name: str, what: str, advice: str) -> None:
    """Write what happened and what to do to stderr. Control characters, which could steer a terminal, are escaped."""
    text = f"{name}: {what}\n" + (f"  {advice}\n" if advice else "")
    try:
        sys.stderr.write("".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text))
        sys.stderr.flush()
    except OSError:
        abandon(sys.stderr)


def abandon(stream: TextIO) -> None:
    """Discard what a stream that nobody reads still buffers: writing it at exit would fail and change the status."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def place(error: BaseException) -> str:
    """`file:line` of the innermost frame inside this package, otherwise of the innermost frame."""
    frame, ours, any_ = error.__traceback__, "", "an unknown location"
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        any_ = f"{'/'.join(Path(file).parts[-3:])}:{frame.tb_lineno}"
        ours = any_ if file.startswith(_PACKAGE) else ours
        frame = frame.tb_next
    return ours or any_


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
