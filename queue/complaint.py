"""One line for a trouble that lasts, instead of one for every time it is met."""

import logging
import time
from collections.abc import Callable

from ..errors import FanslymotionError

AGAIN_SECONDS = 30.0
"""Until the same is said once more."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before something is tried again; it doubles in between."""


class Complaint:
    """Says errors: a sentence for ours, with a traceback for what nobody foresaw. One thread's own."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._said: dict[str, float] = {}
        self._pause = FIRST_PAUSE

    def say(self, error: Exception) -> None:
        text, now = f"{type(error).__name__}: {error}", self._clock()
        self._said = {known: at for known, at in self._said.items() if now - at < AGAIN_SECONDS}
        if text in self._said:
            return
        self._said[text] = now
        if isinstance(error, FanslymotionError):
            self._log.warning("%s", error)
        else:
            self._log.error("%s", text, exc_info=error)

    def pause(self) -> float:
        """Seconds to wait before the next try: longer every time, until `over`."""
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        return pause

    def over(self) -> None:
        """It went well: the next pause is short again."""
        self._pause = FIRST_PAUSE
