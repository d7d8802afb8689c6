"""The frame of every program: privacy first, signals, one catcher, one exit status."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from lorchestra.base.errors import Exit, Failure, from_os_error


def begin() -> None:
    """Make the process private, and SIGTERM the same as Ctrl-C.

    Files are born without rights for others, and no core file can hold a record.
    """
    os.umask(0o077)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    signal.signal(signal.SIGTERM, _terminate)


def run(name: str, body: Callable[[], int]) -> int:
    """Run a program's body; return its exit status.

    A `Failure` is told in two lines on stderr. Anything else that escapes is a fault of the program: its type and
    place are told, its text is not, for it may hold a record's content.
    """
    begin()
    failure: Failure | None = None
    try:
        status = body()
        sys.stdout.flush()
        return status
    except Failure as expected:
        failure = expected
    except BrokenPipeError:
        # The reader of our pipe has seen enough. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except KeyboardInterrupt:
        tell(name, "interrupted", "Start again: what was done is kept.")
        return Exit.INTERRUPTED
    except OSError as error:
        failure = from_os_error(error)
    except Exception as error:
        tell(
            name,
            f"unexpected {type(error).__name__} at {place(error)}",
            "Report this place: it is a fault of the program.",
        )
        return Exit.UNEXPECTED
    tell(name, failure.what, failure.advice)
    return failure.exit


def tell(name: str, what: str, advice: str) -> None:
    """What happened and what to do, on stderr."""
    sys.stderr.write(f"{name}: {what}\n")
    if advice:
        sys.stderr.write(f"  {advice}\n")


def place(error: BaseException) -> str:
    """`file:line` of the innermost frame inside this package, else of the innermost frame."""
    frame, found = error.__traceback__, "an unknown place"
    while frame is not None:
        code = frame.tb_frame.f_code
        if "lorchestra" in code.co_filename or found == "an unknown place":
            found = f"{'/'.join(Path(code.co_filename).parts[-3:])}:{frame.tb_lineno}"
        frame = frame.tb_next
    return found


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
