"""How a line of the log looks, and what becomes of the log's file."""

import logging
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fanslymotion.queue import log
from fanslymotion.queue.log import EventHandler, LineFormatter, LogFile, product_logger, tag


@pytest.mark.parametrize(
    ("level", "text", "extra", "line"),
    [
        (logging.INFO, "Job 1", tag("START"), "[START] Job 1"),
        (logging.WARNING, "it broke", {}, "[WARN] it broke"),
        (logging.DEBUG, "[1, 2] are left", {}, "[DEBUG] [1, 2] are left"),
    ],
)
def test_a_line_has_its_own_tag_or_its_levels(level: int, text: str, extra: dict[str, str], line: str) -> None:
    record = logging.makeLogRecord({"levelno": level, "levelname": logging.getLevelName(level), "msg": text, **extra})
    assert LineFormatter().format(record) == line


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the other handlers of the product's logger are given."""
    heard: list[str] = []
    handler = EventHandler(lambda line: heard.append(line.text))
    product_logger().addHandler(handler)
    yield heard
    product_logger().removeHandler(handler)


def say(file: LogFile, *texts: str) -> None:
    for text in texts:
        file.handle(logging.makeLogRecord({"msg": text, "levelno": logging.INFO, "levelname": "INFO"}))


def test_a_log_that_cannot_be_written_is_told_once(
    tmp_path: Path, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A read-only folder, a full disk: no traceback for each line of the log."""
    (tmp_path / "worker.log").mkdir()
    with closing(LogFile(tmp_path / "worker.log")) as file:
        product_logger().addHandler(file)
        try:
            say(file, "one", "two", "three")
        finally:
            product_logger().removeHandler(file)
    assert capsys.readouterr().err == ""
    assert len(lines) == 1
    assert lines[0].startswith(f"[WARN] No log file: {tmp_path / 'worker.log'} cannot be written (")


def test_a_log_that_is_held_open_grows_until_it_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows: another card's worker has the file open, so that it cannot be renamed."""
    path, replace, held = tmp_path / "worker.log", os.replace, True

    def refuse(source: str, target: str) -> None:
        if held and source == str(path):
            raise PermissionError(13, "in use")
        replace(source, target)

    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(log, "FILE_BYTES", 10)
    with closing(LogFile(path)) as file:
        say(file, *(f"line {number}" for number in range(6)))
        assert path.read_text(encoding="utf-8").count("line") == 6
        assert list(tmp_path.iterdir()) == [path]
        held = False
        say(file, "line 6")
    assert capsys.readouterr().err == ""
    assert path.read_text(encoding="utf-8").strip().endswith("line 6")
    assert (tmp_path / "worker.log.1").read_text(encoding="utf-8").count("line") == 6
    assert len(list(tmp_path.iterdir())) == 2
