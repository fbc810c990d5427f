"""The queue of messages that wake workers, where its file fails while a worker runs."""

from contextlib import closing

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.queue import broker
from fanslymotion.queue.store.store import Store
from fanslymotion.settings import Settings
from fanslymotion.tests.soak import soak


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


@pytest.mark.parametrize("settings", soak("postgresql"), indirect=True)
def test_a_queue_whose_server_was_restarted_is_used_again(settings: Settings) -> None:
    """An idle worker ended with the server's restart."""
    huey, store = broker.make_huey(settings), Store(settings)
    wake = broker.register(huey, lambda _: None)
    with closing(huey.storage), closing(store):
        assert huey.pending_count() == 0
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        with store.errors():
            store.db.execute_sql(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {others}")
        with pytest.raises(StoreError, match=r"the PostgreSQL database cannot be used: "):
            broker.wake_if_needed(huey, wake, 1)
        broker.wake_if_needed(huey, wake, 1)
        assert huey.pending_count() == 1
