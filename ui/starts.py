"""Estimate when waiting jobs start: distribute the forecasts of the jobs before them over the workers."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import FanslymotionError
from ..models.find import find_model
from ..pipeline.families.forecast import forecast
from ..pipeline.memory.request_plan import requested_as
from ..presets import Presets
from ..queue.suitability import ANY_SIZE, plan_for_workers
from ..queue.types import Job, Status, WorkerInfo
from ..settings import Settings

FRESH_SECONDS = 60.0
"""How long a forecast is kept: measurements come in with each job that ends."""
MOST_KEPT = 500


@dataclass(frozen=True)
class Expected:
    """Forecast of a job.

    Attributes:
        starts_in: Seconds until a waiting job starts; None if it runs or that is unknown.
        seconds: Time that it takes, or that a running one still takes; None if unknown.
    """

    starts_in: float | None
    seconds: float | None


class StartTimes:
    """Forecasts of jobs on the current workers, cached for a while.

    Args:
        settings: The folders of models and measurements.
        presets: Returns all presets as they are now.
        now: Monotonic seconds.
    """

    def __init__(
        self, settings: Settings, presets: Callable[[], Presets], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._presets, self._now = settings, presets, now
        self._kept: dict[tuple[Any, ...], tuple[float, float | None]] = {}

    def expected(self, active: Sequence[Job], workers: Sequence[WorkerInfo], paused: bool) -> dict[str, Expected]:
        """Return the forecast of each running and waiting job, by id.

        Args:
            active: All running and waiting jobs, of all logins, in the queue's order.
            workers: All known workers.
            paused: The queue is paused: then no start is known.
        """
        seconds = {job.id: self._left(job, workers) for job in active}
        able = sum(worker.ready for worker in workers)
        return shared_out(active, seconds, 0 if paused else able)

    def _left(self, job: Job, workers: Sequence[WorkerInfo]) -> float | None:
        if job.status is Status.RUNNING and job.eta_seconds is not None:
            return job.eta_seconds
        whole = self._forecast(job, workers)
        return None if whole is None else whole * (1.0 - job.fraction)

    def _forecast(self, job: Job, workers: Sequence[WorkerInfo]) -> float | None:
        size = job.photo.size if all(job.photo.size) else ANY_SIZE
        key = (replace(job.request, seed=0), size, job.last_photo is not None)
        at, seconds = self._kept.get(key, (-FRESH_SECONDS, None))
        if self._now() - at < FRESH_SECONDS:
            return seconds
        try:
            seconds = self._planned(job, size, workers)
        except FanslymotionError:  # a preset or a model that is gone: the worker says so when it gets there
            seconds = None
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key] = (self._now(), seconds)
        return seconds

    def _planned(self, job: Job, size: tuple[int, int], workers: Sequence[WorkerInfo]) -> float:
        presets, settings, request = self._presets(), self._settings, job.request
        loaded = (requested_as(request, find_model(request.model, presets, settings)),)  # kept from one job to the next
        ends = job.last_photo is not None
        plan = plan_for_workers(workers, request, size, settings, presets, loaded=loaded, ends=ends)
        return forecast(plan).seconds


def shared_out(active: Sequence[Job], seconds: dict[str, float | None], workers: int) -> dict[str, Expected]:
    """Simulate `workers` taking the jobs in order, each the next one as soon as it is free.

    Args:
        active: Running jobs, then waiting ones in their order.
        seconds: Of each job, by id; None if unknown, and then no later start is known.
        workers: Number of workers that take jobs; 0: no start is known.
    """
    running = [seconds[job.id] for job in active if job.status is Status.RUNNING]
    free = [one for one in running if one is not None]
    known = workers > 0 and len(free) == len(running)
    free += [0.0] * (workers - len(free))
    found: dict[str, Expected] = {}
    for job in active:
        own = seconds[job.id]
        if job.status is Status.RUNNING or job.waits_for or not known:
            found[job.id] = Expected(None, own)
            continue
        first = min(range(len(free)), key=free.__getitem__)
        found[job.id] = Expected(free[first], own)
        known = own is not None
        free[first] += own or 0.0
    return found
