"""A trouble that lasts is said once in a while, not every time it is met."""

import logging

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.queue.error_throttle import AGAIN_SECONDS, LONGEST_PAUSE, ErrorThrottle

log = logging.getLogger("fanslymotion.test")


def test_the_same_is_said_once_and_again_later(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    throttle = ErrorThrottle(log, lambda: now)
    for _ in range(115):
        throttle.log(StoreError("the list is damaged"))
    throttle.log(StoreError("the disk is full"))
    assert [record.getMessage() for record in caplog.records] == ["the list is damaged", "the disk is full"]
    assert not any(record.exc_info for record in caplog.records)
    now = AGAIN_SECONDS
    throttle.log(StoreError("the list is damaged"))
    assert len(caplog.records) == 3


def test_what_nobody_foresaw_brings_its_traceback_once(caplog: pytest.LogCaptureFixture) -> None:
    throttle = ErrorThrottle(log)
    for _ in range(3):
        throttle.log(ZeroDivisionError("division by zero"))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.getMessage() == "ZeroDivisionError: division by zero"


def test_pauses_grow_until_it_is_over() -> None:
    throttle = ErrorThrottle(log)
    pauses = [throttle.next_pause() for _ in range(10)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 1
    assert pauses[-1] == LONGEST_PAUSE
    throttle.reset()
    assert throttle.next_pause() == pauses[0]
