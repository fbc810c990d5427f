"""Print lines to a terminal that may block: a click into a Windows console stops every print to it."""

import threading
from collections import deque
from collections.abc import Callable

KEPT = 1000
"""Number of lines that wait while the terminal blocks."""


class EchoThread:
    """Print from its own thread. While the terminal blocks, the newest KEPT lines wait and older ones are dropped.

    Args:
        write: prints one line; may block.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._more = threading.Event()
        self._gone = False
        self._idle = threading.Event()
        self._idle.set()
        threading.Thread(target=self._run, name="echo", daemon=True).start()

    def __call__(self, line: str) -> None:
        """Queue a line."""
        if not self._gone:
            self._idle.clear()
            self._lines.append(line)
            self._more.set()

    def flush(self, seconds: float = 2.0) -> None:
        """Wait until everything is printed, at most `seconds`."""
        self._idle.wait(seconds)

    def _run(self) -> None:
        while True:
            self._more.wait()
            self._more.clear()
            while self._lines:
                try:
                    self._write(self._lines.popleft())
                except (OSError, ValueError):  # the terminal is gone; the worker continues
                    self._gone = True
                    self._lines.clear()
            self._idle.set()
