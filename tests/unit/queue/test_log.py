"""How a line of the log looks."""

import logging

import pytest
from fanslymotion.queue.log import LineFormatter, tag


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
