"""Limit the length and number of the page's log lines, whatever a request contains."""

import logging
import time
from collections.abc import Callable
from typing import Any, TextIO

from ...queue.liveness.echo import EchoThread

MOST_CHARACTERS = 1000
"""Of a message."""
MOST_DETAILS = 20_000
"""Characters of a traceback; its end says what happened."""
MOST_REPEATS = 30
REPEAT_SECONDS = 60.0
"""A message is shown so many times in so long."""

HUNG_UP = (64, 10057)
"""Windows' numbers for it beside those that Python knows as ConnectionError: network name gone, not connected."""


class BoundedFormatter(logging.Formatter):
    r"""Format records as `WARNING: text`. Control characters are written as `\n`, `\x1b`: one line each."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Format a record as one line of a bounded length."""
        text = super().formatMessage(record).strip()
        shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:MOST_CHARACTERS])
        return shown if len(text) <= MOST_CHARACTERS else f"{shown} … ({len(text)} characters)"

    def formatException(self, ei: Any) -> str:
        """Format a traceback of a bounded length, keeping its end."""
        text = super().formatException(ei)
        return text if len(text) <= MOST_DETAILS else f"…\n{text[-MOST_DETAILS:]}"


class UnblockedHandler(logging.StreamHandler[TextIO]):
    """Write log lines from a thread of its own.

    A click into a Windows console, or Ctrl+S elsewhere, blocks every print to it; the page must still answer.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._echo = EchoThread(self._write)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record's text."""
        try:
            self._echo(self.format(record))
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Wait briefly for queued lines."""
        self._echo.flush()

    def _write(self, line: str) -> None:
        self.stream.write(line + self.terminator)
        self.stream.flush()


class LostClients(logging.Filter):
    """Drop asyncio's tracebacks about clients that have disconnected.

    Windows reports a connection that was reset before it was accepted as an error of accept(); asyncio then logs an
    exception of its own callback, although the page works.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether to log a record."""
        if record.name != "asyncio" or not record.exc_info:
            return True
        error = record.exc_info[1]
        return not (isinstance(error, ConnectionError) or getattr(error, "winerror", None) in HUNG_UP)


class RepeatLimit(logging.Filter):
    """Pass a message at most `MOST_REPEATS` times in `REPEAT_SECONDS`: requests must not fill a disk with log lines."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._since = now()
        self._counts: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether to log a record. Messages are identified by their place in the code."""
        if self._now() - self._since > REPEAT_SECONDS:
            self._since, self._counts = self._now(), {}
        place = (record.pathname, record.lineno)
        self._counts[place] = count = self._counts.get(place, 0) + 1
        if count == MOST_REPEATS:
            record.msg = f"{record.msg} (not shown again for a minute)"
        return count <= MOST_REPEATS


LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"bounded": {"()": BoundedFormatter}},
    "filters": {"lost clients": {"()": LostClients}, "seldom": {"()": RepeatLimit}},
    "handlers": {
        "stderr": {
            "()": UnblockedHandler,
            "formatter": "bounded",
            "filters": ["lost clients", "seldom"],
            "stream": "ext://sys.stderr",
        }
    },
    "loggers": {"python_multipart": {"level": "ERROR"}},  # it warns of every odd body
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
"""For `logging.config.dictConfig`, through uvicorn."""
