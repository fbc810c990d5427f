"""A model that nobody uses gives its memory back."""

from collections.abc import Iterator

import pytest
from fanslymotion.queue.worker import IDLE_RELEASE_SECONDS, Worker
from fanslymotion.settings import Settings


class Renderers:
    def __init__(self) -> None:
        self.released = 0

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def worker(settings: Settings) -> Iterator[Worker]:
    made = Worker(settings, "idle-test")
    made._idle_since, made._renderers = 1000.0, Renderers()
    yield made
    made.store.close()


def test_after_the_set_time_once(worker: Worker) -> None:
    renderers = worker._renderers
    worker._release_when_idle(1000.0 + IDLE_RELEASE_SECONDS - 1)
    assert renderers.released == 0
    worker._release_when_idle(1000.0 + IDLE_RELEASE_SECONDS)
    worker._release_when_idle(1000.0 + 2 * IDLE_RELEASE_SECONDS)
    assert renderers.released == 1, "once, until the next job loads it again"


def test_never_while_a_job_runs(worker: Worker) -> None:
    with worker._job_lock:
        worker._release_when_idle(1e9)
    assert worker._renderers.released == 0
