"""Judge how well each worker suits a job: is the model there, does the plan fit, on a GPU or on the processor.

A job is for the workers that suit it best. So no worker without a GPU takes what a living worker with one is there for.
"""

from collections.abc import Collection, Sequence
from enum import IntEnum
from typing import Any

from ..errors import FanslymotionError, ModelError, PresetError
from ..messages import Message, msg
from ..models.find import find_model, find_upscaler, require_model
from ..pipeline.families.base import MemoryPlan
from ..pipeline.families.forecast import forecast
from ..pipeline.hardware.machine import Machine
from ..pipeline.memory.request_plan import plan_request
from ..pipeline.request import VideoRequest
from ..presets import Presets
from ..settings import Settings
from .liveness.host import MACHINE
from .types import WorkerInfo, WorkerState

KEPT = 1000
"""Judgements that are kept for the same question."""
ANY_SIZE = (1920, 1080)
"""Pixels that a photo counts as whose size is not known: a job of an earlier version."""


class Suits(IntEnum):
    """How well a worker suits a job, the best last."""

    NO_MODEL = 0
    TOO_SMALL = 1
    ON_CPU = 2
    SMALLER = 3
    FULLY = 4


class Judge:
    """Judge workers by what they tell of themselves. For one thread.

    Args:
        settings: tell where models and measurements are.
        presets: all presets.
    """

    def __init__(self, settings: Settings, presets: Presets) -> None:
        self._settings, self._presets = settings, presets
        self._kept: dict[tuple[Any, ...], Suits] = {}

    def suits(self, worker: WorkerInfo, job_id: str, request: VideoRequest, photo: tuple[int, int]) -> Suits:
        """Judge one worker.

        Args:
            worker: with its abilities. Without any it is taken for able to do everything.
            job_id: the job; "" if it is not submitted yet.
            request: its settings.
            photo: width and height in pixels.

        Raises:
            FanslymotionError: the request cannot be planned, by any worker.
        """
        told = worker.abilities
        if told is None:
            return Suits.FULLY
        if job_id in told.refused or not self._has_models(worker, request):
            return Suits.NO_MODEL
        if self.by_path(request) and worker.machine != MACHINE:
            return Suits.TOO_SMALL  # the folder may be there: better than no model, worse than a folder that is seen
        key = (worker.id, told.machine, request, photo)
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = _judged(self.plan(told.machine, request, photo))
        return self._kept[key]

    def best(
        self, workers: Sequence[WorkerInfo], job_id: str, request: VideoRequest, photo: tuple[int, int]
    ) -> tuple[Suits, list[WorkerInfo]]:
        """Return how well the best of the workers suit a job, and all that suit it so well. Arguments as in `suits`."""
        judged = [(self.suits(worker, job_id, request, photo), worker) for worker in workers]
        best = max(found for found, _ in judged)
        return best, [worker for found, worker in judged if found == best]

    def plan(self, machine: Machine, request: VideoRequest, photo: tuple[int, int]) -> MemoryPlan:
        """Plan the request for a machine. A model that is not here counts as one of full size."""
        model = find_model(request.model, self._presets, self._settings)
        try:
            upscaler = find_upscaler(request.upscaler, self._presets, self._settings)
        except ModelError:
            upscaler = None
        return plan_request(
            request,
            photo if all(photo) else ANY_SIZE,
            model,
            self._presets,
            self._settings,
            upscaler=upscaler,
            machine=machine,
        )

    def _has_models(self, worker: WorkerInfo, request: VideoRequest) -> bool:
        assert worker.abilities is not None
        there = worker.abilities.models
        if request.upscaler is not None and request.upscaler not in there:
            return False
        if not self.by_path(request):
            return request.model in there
        return worker.machine != MACHINE or self.has_folder(request)

    def by_path(self, request: VideoRequest) -> bool:
        """Tell whether a request names its model by the path of a folder, which only a worker's own machine can see."""
        return request.model not in self._presets.models

    def has_folder(self, request: VideoRequest) -> bool:
        """Tell whether a model that is named by its path is on this machine."""
        try:
            require_model(request.model, self._presets, self._settings)
        except FanslymotionError:
            return False
        return True


def _judged(plan: MemoryPlan) -> Suits:
    if not forecast(plan).fits:
        return Suits.TOO_SMALL
    if plan.device == "cpu":
        return Suits.ON_CPU
    return Suits.SMALLER if plan.shrunk else Suits.FULLY


def ready(workers: Sequence[WorkerInfo]) -> list[WorkerInfo]:
    """Return the workers that live and have told what they can run."""
    return [one for one in workers if one.ready and one.abilities is not None]


def no_model(request: VideoRequest, by_path: bool) -> Message:
    """Say that a job waits because no living worker has its model. by_path: the request names it by a folder's path."""
    if by_path:
        return msg(
            "No worker that runs now has a model in the folder {model}; put it there on one of their machines, or "
            "start a worker where it is. The job waits for that.",
            model=request.model,
        )
    if request.upscaler is None:
        return msg(
            "No worker that runs now has the model {model}; download it on one of their machines (fanslymotion models "
            "download {model}), or start a worker where it is. The job waits for that.",
            model=request.model,
        )
    return msg(
        "No worker that runs now has both the model {model} and the upscaler {upscaler}; download what is missing on "
        "one of their machines (fanslymotion models download …), or start a worker where both are. The job waits for "
        "that.",
        model=request.model,
        upscaler=request.upscaler,
    )


def plan_for_workers(
    workers: Sequence[WorkerInfo],
    request: VideoRequest,
    photo: tuple[int, int],
    settings: Settings,
    presets: Presets,
    *,
    loaded: Collection[str],
    here: Machine | None = None,
    ends: bool = False,
) -> MemoryPlan:
    """Plan a request for the worker that would run it now.

    Args:
        workers: All known workers.
        request: The settings.
        photo: Width and height in pixels.
        settings: The folders of models and measurements.
        presets: All presets.
        loaded: Names of the models that workers keep loaded.
        here: This machine, if it was measured before; None = it is measured if the plan is for it.
        ends: The video ends with a given picture.

    Raises:
        FanslymotionError: The request names an unknown preset or a missing upscaler, or cannot be planned.
    """
    return plan_request(
        request,
        photo,
        find_model(request.model, presets, settings),
        presets,
        settings,
        upscaler=find_upscaler(request.upscaler, presets, settings),
        own=[worker.pid for worker in workers if worker.alive],
        held=cached_vram(workers),
        loaded=loaded,
        machine=machine_for(workers, request, photo, settings, presets) or here,
        ends=ends,
    )


def cached_vram(workers: Sequence[WorkerInfo]) -> int:
    """Return the bytes of video memory of this machine's cached models: the most that one living worker holds."""
    return max((one.vram for one in workers if one.alive and one.machine == MACHINE), default=0)


def machine_for(
    workers: Sequence[WorkerInfo],
    request: VideoRequest,
    photo: tuple[int, int],
    settings: Settings,
    presets: Presets,
) -> Machine | None:
    """Return the machine of the worker that would run a request, as the worker has reported it.

    Returns:
        None if that is this machine's only worker, or there is none yet: this process can measure the machine itself.
    """
    known = ready(workers)
    if not known or (len(known) == 1 and known[0].machine == MACHINE):
        return None
    try:
        _, best = Judge(settings, presets).best(known, "", request, photo)
    except PresetError:
        return None
    first = min(best, key=lambda worker: worker.state != WorkerState.IDLE)
    return first.abilities.machine if first.abilities else None
