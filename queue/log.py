"""Configure logging with one line format: to the console, to a rotating file, and to the running job's events."""

import io
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import NamedTuple, TextIO

from ..messages import Message
from ..pipeline.progress import CHANGE

SHORT = {"WARNING": "WARN", "CRITICAL": "ERROR"}
JOB_MARK = "\x01"
"""Begins a line of a supervised worker's output that holds only a job's id: the next lines belong to that job.

ASCII's start of heading, which no line of a log begins with. The supervisor reads these lines and shows none of them.
"""
TAG = "tag"
"""The attribute of a record that holds its tag."""
FILE_BYTES = 5_000_000
FILES_KEPT = 3


def tag(name: str) -> dict[str, str]:
    """Return the `extra` of a record that is tagged `[name]` instead of by its level."""
    return {TAG: name}


class LineFormatter(logging.Formatter):
    """Format lines as `[INFO] text`, or with the tag that a record brings along: `log.info(…, extra=tag("START"))`."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record with its tag."""
        shown = getattr(record, TAG, SHORT.get(record.levelname, record.levelname))
        return f"[{shown}] {super().format(record)}"


class Line(NamedTuple):
    """A line of a job's log.

    Attributes:
        at: Unix seconds.
        level: DEBUG to CRITICAL.
        text: the line with its tag.
        change: a plan change that the line reports (`pipeline.progress.log_change`).
    """

    at: float
    level: str
    text: str
    change: Message | None = None


class EventHandler(logging.Handler):
    """Pass each line to `sink`, which must return at once. A traceback is part of its line."""

    def __init__(self, sink: Callable[[Line], None]) -> None:
        super().__init__(logging.DEBUG)
        self._sink = sink
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record to the sink."""
        try:
            change = getattr(record, CHANGE, None)
            self._sink(Line(record.created, record.levelname, self.format(record), change))
        except Exception:
            self.handleError(record)


class DisconnectSafeStream(io.TextIOBase):
    """Wrap a console whose reader may be gone (a killed supervisor): a library's print must not fail a running job."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text; ignore a closed console."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the console; ignore a closed one."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Return False, so that libraries print no control codes."""
        return False

    def fileno(self) -> int:
        """Return the console's file descriptor."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:
        """Return the console's encoding."""
        return self._stream.encoding


class LogFile(RotatingFileHandler):
    """Write the log to a file. A failure is told once, not with a traceback for each line.

    Windows renames no file that another worker or a viewer has open: until it is let go, the file grows.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True)
        self._told = False
        self.setFormatter(LineFormatter("%(asctime)s %(message)s"))

    def doRollover(self) -> None:
        """Begin a new file, if this one can be renamed. The older ones move only then."""
        if self.stream:
            self.stream.close()
            self.stream = None  # type: ignore[assignment] - opened again by the next line
        aside = f"{self.baseFilename}.0"
        try:
            os.replace(self.baseFilename, aside)
        except OSError:
            return
        try:
            super().doRollover()
            os.replace(aside, f"{self.baseFilename}.1")
        except OSError:
            with suppress(OSError):
                os.replace(aside, self.baseFilename)

    def handleError(self, record: logging.LogRecord) -> None:
        """Tell the other handlers why nothing can be written, once."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._told:
            self._told = True
            _tell_no_file(Path(self.baseFilename), error)


def _tell_no_file(place: Path, error: OSError) -> None:
    product_logger().warning("No log file: %s cannot be written (%s)", place, error.strerror or error)


def product_logger() -> logging.Logger:
    """Return the logger above all loggers of this program."""
    return logging.getLogger("fanslymotion")


def set_up(logs_dir: Path) -> None:
    """Log to the console (stdout) and to `worker.log`. A log folder that is not writable causes a warning only."""
    logger = product_logger()
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for other in ("huey", "diffusers", "transformers"):
        logging.getLogger(other).setLevel(logging.WARNING)
    sys.stdout, sys.stderr = DisconnectSafeStream(sys.stdout), DisconnectSafeStream(sys.stderr)
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(LineFormatter())
    logger.addHandler(console)
    try:
        logs_dir.mkdir(parents=True, exist_ok=True)
        logger.addHandler(LogFile(logs_dir / "worker.log"))
    except OSError as e:
        _tell_no_file(logs_dir, e)
