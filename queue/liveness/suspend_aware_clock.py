"""A clock for patience: how long something has kept us waiting while this computer could have gone on."""

import time
from collections.abc import Callable

LONGEST = 5.0
"""Seconds that may count between two looks. What lies beyond is sleep: Windows' monotonic clock goes on in it."""


class SuspendAwareClock:
    """Seconds, growing, without the time in which nobody looked. Look more often than every LONGEST seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._seconds, self._looked = clock, 0.0, clock()

    def look(self) -> float:
        now = self._clock()
        self._seconds += min(now - self._looked, LONGEST)
        self._looked = now
        return self._seconds
