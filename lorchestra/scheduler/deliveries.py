"""Which sources still deliver, so that one that waits for its next attempt does not hold up the data stages."""

from __future__ import annotations

import threading
from collections.abc import Iterable


class Deliveries:
    """The sources of a run. The threads that extract report to it; the graph waits for it.

    The data stages begin when every source has ended or waits for another attempt. What the latter bring is processed
    in a second round.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[str] = set()
        self._waiting: set[str] = set()
        self.late = False
        """Whether the first round began without some source."""

    def expect(self, sources: Iterable[str]) -> None:
        """The sources that will be extracted."""
        self._running = set(sources)

    def sleep(self, source: str, seconds: float) -> None:
        """Sleep between two attempts."""
        with self._changed:
            self._waiting.add(source)
            self._changed.notify_all()
        threading.Event().wait(seconds)

    def ended(self, source: str) -> None:
        """A source has delivered, has failed after its last attempt, or is not extracted."""
        with self._changed:
            self._running.discard(source)
            self._changed.notify_all()

    def wait_for_first_attempts(self) -> None:
        """Return when every source has ended or has waited for another attempt."""
        with self._changed:
            self._changed.wait_for(lambda: self._running <= self._waiting)
            self.late = bool(self._running)

    def wait_for_all(self) -> None:
        """Return when every source has ended."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running)
