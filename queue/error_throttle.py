"""Log a lasting error once in a while, instead of every time it occurs."""

import logging
import time
from collections.abc import Callable

from ..errors import FanslymotionError

AGAIN_SECONDS = 30.0
"""Seconds until the same error is logged again."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Shortest and longest pause in seconds before the next try; it doubles in between."""


class ErrorThrottle:
    """Log errors at most every AGAIN_SECONDS each, and compute growing pauses between tries. Not thread-safe.

    Args:
        log: the logger.
        clock: returns seconds.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._said: dict[str, float] = {}
        self._pause = FIRST_PAUSE

    def log(self, error: Exception) -> None:
        """Log an error, unless it was logged a short while ago. Unexpected errors get a traceback."""
        text, now = f"{type(error).__name__}: {error}", self._clock()
        self._said = {known: at for known, at in self._said.items() if now - at < AGAIN_SECONDS}
        if text in self._said:
            return
        self._said[text] = now
        if isinstance(error, FanslymotionError):
            self._log.warning("%s", error)
        else:
            self._log.error("%s", text, exc_info=error)

    def next_pause(self) -> float:
        """Return the seconds to wait before the next try. They double at each call, until `reset`."""
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        return pause

    def reset(self) -> None:
        """Make the next pause short again, after a success."""
        self._pause = FIRST_PAUSE
