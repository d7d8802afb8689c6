"""Events at regular times: that the run is alive, and how far its tasks are."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from lorchestra.history.log import Log, Progress

_HEARTBEAT_SECONDS = 5.0
_PROGRESS_SECONDS = 1.0


class Pulse:
    """Logs a heartbeat every five seconds, and the progress of each task at most once a second."""

    def __init__(self, log: Log, running: Callable[[], int]) -> None:
        """`running` returns how many tasks are running."""
        self._log = log
        self._running = running
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")

    def start(self) -> None:
        """The run has begun."""
        self._thread.start()

    def stop(self) -> None:
        """The run is about to end: nothing may follow its last event."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def progress(self, task: str) -> Progress:
        """What a task calls as often as it likes."""
        last = time.monotonic()

        def report(records: int, rejected: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _PROGRESS_SECONDS and not self._stopped.is_set():
                last = now
                stage = task.partition(":")[0]
                self._log.event("task_progress", stage, task=task, records=records, rejected=rejected)

        return report

    def _beat(self) -> None:
        while not self._stopped.wait(_HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):  # a full disk: the run itself reports it
                self._log.event("heartbeat", running=self._running())
