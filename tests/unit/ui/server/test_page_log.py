"""What a request holds makes no log line long, none into two, and not too many of them."""

import io
import logging
import logging.config
import sys
import threading

import pytest
from fanslymotion.ui.server.page_log import (
    LOG_CONFIG,
    MOST_CHARACTERS,
    MOST_DETAILS,
    MOST_REPEATS,
    BoundedFormatter,
    RepeatLimit,
)


def record(text: str, *args: object, line: int = 1, exc_info=None) -> logging.LogRecord:
    return logging.LogRecord("x", logging.WARNING, "x.py", line, text, args, exc_info)


def test_a_long_message_is_cut_and_says_so() -> None:
    said = BoundedFormatter().format(record("GET %s failed", "/" + "x" * 60_000))
    assert len(said) < MOST_CHARACTERS + 50
    assert said.startswith("WARNING: GET /xxx")
    assert "(60021 characters" in said


def test_a_message_stays_on_its_line() -> None:
    said = BoundedFormatter().format(record("GET %s failed", "/a\r\nERROR: made up\x1b[2J\u2028\u202e"))
    assert said == "WARNING: GET /a\\r\\nERROR: made up\\x1b[2J\\u2028\\u202e failed"


def test_a_traceback_is_cut_at_its_beginning() -> None:
    try:
        raise ValueError("x" * 100_000 + " the end")
    except ValueError as e:
        said = BoundedFormatter().format(record("it failed", exc_info=(type(e), e, e.__traceback__)))
    assert len(said) < MOST_DETAILS + 100
    assert said.startswith("WARNING: it failed\n…\n")
    assert said.endswith(" the end")


def test_a_message_is_not_repeated_for_ever_and_hides_no_other() -> None:
    now = [0.0]
    seldom = RepeatLimit(lambda: now[0])
    assert sum(seldom.filter(record("odd request %s", n)) for n in range(1000)) == MOST_REPEATS
    assert seldom.filter(record("something else", line=2))
    now[0] = 61.0
    assert seldom.filter(record("odd request"))


def failed_accept(error: OSError, winerror: int = 0) -> OSError:
    error.winerror = winerror
    return error


def test_a_client_that_hung_up_is_no_error_of_the_page() -> None:
    """Windows: a connection that is reset before it is accepted makes asyncio log a traceback."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logging.config.dictConfig(LOG_CONFIG)
        said = io.StringIO()
        root.handlers[0].setStream(said)
        asyncio_log = logging.getLogger("asyncio")
        for error in (ConnectionResetError(), failed_accept(OSError(22, "gone"), 64), failed_accept(OSError(), 10057)):
            asyncio_log.error("Exception in callback _accept_connection", exc_info=(type(error), error, None))
        root.handlers[0].flush()
        assert said.getvalue() == ""
        fault = OSError(24, "Too many open files")
        asyncio_log.error("Exception in callback", exc_info=(OSError, fault, None))
        logging.getLogger("fanslymotion.ui.app").error("lost", exc_info=(OSError, ConnectionResetError(), None))
        root.handlers[0].flush()
        assert "Too many open files" in said.getvalue()
        assert "lost" in said.getvalue(), "others' lost connections are theirs to judge"
    finally:
        root.handlers[:], _ = before
        root.setLevel(before[1])


def test_every_logger_of_the_process_is_bounded() -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logging.config.dictConfig(LOG_CONFIG)
        (handler,) = root.handlers
        assert isinstance(handler, logging.StreamHandler)
        said = io.StringIO()
        handler.setStream(said)
        for name in ("uvicorn.error", "asyncio", "fanslymotion.ui.app", "gradio", "huey"):
            logging.getLogger(name).warning("%s says %s", name, "x" * 10_000)
        handler.flush()
        lines = said.getvalue().splitlines()
        assert len(lines) == 5
        assert max(map(len, lines)) < MOST_CHARACTERS + 50
    finally:
        root.handlers[:], _ = before
        root.setLevel(before[1])


class Paused(io.StringIO):
    """A terminal in which text is selected."""

    def __init__(self) -> None:
        super().__init__()
        self.writes, self.go_on = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.writes.set()
        self.go_on.wait(20)
        return super().write(text)


def test_a_paused_terminal_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A click into a Windows console blocks every print to it until the selection ends."""
    root, terminal = logging.getLogger(), Paused()
    before = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", terminal)
    try:
        logging.config.dictConfig(LOG_CONFIG)
        for number in range(3):
            logging.getLogger("asyncio").warning("line %s", number)
        assert terminal.writes.wait(20)
        assert terminal.getvalue() == ""
        terminal.go_on.set()
        root.handlers[0].flush()
        assert terminal.getvalue() == "WARNING: line 0\nWARNING: line 1\nWARNING: line 2\n"
    finally:
        terminal.go_on.set()
        root.handlers[:], _ = before
        root.setLevel(before[1])
