"""Imported before the rest of the loader: Ctrl-C while doit starts ends it without a traceback.

Before this module, only Python and doit have run. Their imports take most of the first 0.1 s; Ctrl-C during them prints
Python's traceback, which nothing of ours can prevent.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType


def _report_interrupt(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """`sys.excepthook` until the loader replaces it. Nothing has begun that would have to be ended."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    os.write(2, b"doit: interrupted\n")
    os._exit(130)


sys.excepthook = _report_interrupt
