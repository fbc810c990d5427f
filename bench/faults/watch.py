"""Follows the jobs of a campaign by a clock that nothing steps: how each moves, and for how long none did."""

import threading
import time
from collections import defaultdict
from contextlib import suppress
from typing import Any

from fanslymotion.errors import StoreError
from fanslymotion.queue.jobs import Jobs

PATIENCE = 150.0
"""Seconds without any job moving on, after which the campaign is called stuck."""


class Watch(threading.Thread):
    """A thread with a connection of its own. history: job -> (seconds since `began`, what was seen)."""

    def __init__(self, jobs: Jobs) -> None:
        super().__init__(name="watch", daemon=True)
        self._jobs, self._ended = jobs, threading.Event()
        self.began = self.moved = time.monotonic()
        self.longest = 0.0
        self.history: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self._before: dict[str, tuple[Any, ...]] = {}

    def run(self) -> None:
        while not self._ended.wait(0.2):
            with suppress(StoreError):
                self._look()
        self._jobs.close()

    def _look(self) -> None:
        now, moving = time.monotonic(), False
        found = {job.id: job for job in self._jobs.list(limit=10_000)}
        for job_id, job in found.items():
            state = (job.status, job.attempt, job.worker)
            place = (*state, job.stage, job.step, job.cancelling)
            if self._before.get(job_id) != place:
                moving = True
            if self._before.get(job_id, ())[:3] != state:
                what = f"{job.status}, attempt {job.attempt}, worker {job.worker or '-'}, {job.stage} {job.step}"
                self.history[job_id].append((now - self.began, what))
            self._before[job_id] = place
        for job_id in [job_id for job_id in self._before if job_id not in found]:
            self.history[job_id].append((now - self.began, "gone from the list"))
            del self._before[job_id]
        if moving or all(job.status.final for job in found.values()):
            self.moved = now
        self.longest = max(self.longest, now - self.moved)

    @property
    def stuck(self) -> bool:
        return time.monotonic() - self.moved > PATIENCE

    def end(self) -> None:
        self._ended.set()
        self.join()
