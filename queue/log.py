"""Standard logging with one line shape: to the console, to a rotating file, and to the running job's events."""

import io
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import NamedTuple, TextIO

from ..messages import Message
from ..pipeline.progress import CHANGE

SHORT = {"WARNING": "WARN", "CRITICAL": "ERROR"}
STARTS = "[WORKER] Starting job: "
"""Begins each job's lines in its worker's output; the supervisor tells by it whose they are."""
FILE_BYTES = 5_000_000
FILES_KEPT = 3


class LineFormatter(logging.Formatter):
    """`[INFO] text`; a message that brings its own tag (`[WORKER] …`, `[START] …`) keeps it."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if text.startswith("[") else f"[{SHORT.get(record.levelname, record.levelname)}] {text}"


class Line(NamedTuple):
    """A line of a job's log. at: Unix seconds. change: how the job goes on in another way (`log_change`)."""

    at: float
    level: str
    text: str
    change: Message | None = None


class EventHandler(logging.Handler):
    """Hands each line to `sink`, which must return at once; a traceback is part of its line."""

    def __init__(self, sink: Callable[[Line], None]) -> None:
        super().__init__(logging.DEBUG)
        self._sink = sink
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            change = getattr(record, CHANGE, None)
            self._sink(Line(record.created, record.levelname, self.format(record), change))
        except Exception:
            self.handleError(record)


class Unbreakable(io.TextIOBase):
    """A console whose reader may be gone (a killed supervisor): a library's print must not fail the running job."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:
        return self._stream.encoding


def product_logger() -> logging.Logger:
    return logging.getLogger("fanslymotion")


def set_up(logs_dir: Path) -> None:
    """Console (stdout) and `worker.log` for this process. A log folder that cannot be written is said, not fatal."""
    logger = product_logger()
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for other in ("huey", "diffusers", "transformers"):
        logging.getLogger(other).setLevel(logging.WARNING)
    sys.stdout, sys.stderr = Unbreakable(sys.stdout), Unbreakable(sys.stderr)
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(LineFormatter())
    logger.addHandler(console)
    try:
        logs_dir.mkdir(parents=True, exist_ok=True)
        file = RotatingFileHandler(
            logs_dir / "worker.log", maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True
        )
        file.setFormatter(LineFormatter("%(asctime)s %(message)s"))
        logger.addHandler(file)
    except OSError as e:
        logger.warning("No log file: %s cannot be written (%s)", logs_dir, e.strerror or e)
