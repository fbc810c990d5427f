"""Measure waiting times without the time in which this computer was suspended."""

import time
from collections.abc import Callable

LONGEST = 5.0
"""Most seconds that count between two calls of `look`. More means suspension, in which Windows' clock runs on."""


class SuspendAwareClock:
    """A growing number of seconds without suspended time. Call `look` more often than every LONGEST seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._seconds, self._looked = clock, 0.0, clock()

    def look(self) -> float:
        """Return the seconds since the start."""
        now = self._clock()
        self._seconds += min(now - self._looked, LONGEST)
        self._looked = now
        return self._seconds
