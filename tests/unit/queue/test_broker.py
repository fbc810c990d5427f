"""The queue of messages that wake workers, where its file fails while a worker runs."""

from contextlib import closing

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.queue import broker
from fanslymotion.settings import Settings


def test_a_disk_that_is_full_lets_the_worker_try_again_later(settings: Settings) -> None:
    """It ended the worker, and each one after it, until there was room again."""
    huey = broker.make_huey(settings)
    wake = broker.register(huey, lambda _: None)
    with closing(huey.storage):
        wake("a job")
        huey.dequeue()
        pages = huey.storage.conn.execute("PRAGMA page_count").fetchone()[0]
        huey.storage.conn.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match=r"the queue's file .*huey.db cannot be used: .* full; "):
            broker.wake_if_needed(huey, lambda _: wake("x" * 100_000), 1)
        huey.storage.conn.execute("PRAGMA max_page_count = 100000")
        broker.wake_if_needed(huey, wake, 1)
        assert huey.pending_count() == 1
