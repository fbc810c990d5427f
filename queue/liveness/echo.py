"""Lines for a terminal that may stand still: a click into a Windows console stops whatever prints there."""

import threading
from collections import deque
from collections.abc import Callable

KEPT = 1000


class EchoThread:
    """Prints from a thread of its own. While the terminal stands still the newest KEPT lines wait, the others go."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._more = threading.Event()
        self._gone = False
        self._idle = threading.Event()
        self._idle.set()
        threading.Thread(target=self._run, name="echo", daemon=True).start()

    def __call__(self, line: str) -> None:
        if not self._gone:
            self._idle.clear()
            self._lines.append(line)
            self._more.set()

    def flush(self, seconds: float = 2.0) -> None:
        """Wait until everything is printed, or so long."""
        self._idle.wait(seconds)

    def _run(self) -> None:
        while True:
            self._more.wait()
            self._more.clear()
            while self._lines:
                try:
                    self._write(self._lines.popleft())
                except (OSError, ValueError):  # the terminal is gone; the worker goes on
                    self._gone = True
                    self._lines.clear()
            self._idle.set()
