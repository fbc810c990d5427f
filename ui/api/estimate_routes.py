"""Serve estimates over HTTP: time and memory of a video on this machine, by size, by speed and by model."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request

from ...errors import FanslymotionError
from ...models.choice import in_order
from ...models.find import find_model, taken_by
from ...pipeline.families.base import MemoryPlan
from ...pipeline.families.modes import modes_of, sampled_steps
from ...pipeline.hardware.machine import Machine
from ...pipeline.request import VideoRequest
from ...presets import ModelPreset
from ...presets.options import BEST, OPTIONS
from ...queue.suitability import plan_for_workers
from ...queue.worker.loaded_note import loaded
from ..context import Studio
from ..serializers import plan_json
from .requests import EstimateIn, LongEstimateIn, ModelsEstimateIn, read_json, read_query

router = APIRouter(prefix="/studio")


class Planner:
    """Plan requests for the current workers. The machine is measured once.

    Args:
        studio: The studio.
        photo: Width and height in pixels.
        ends: The video ends with a picture of its own.
    """

    def __init__(self, studio: Studio, photo: tuple[int, int], ends: bool = False) -> None:
        self._presets, self._settings, self._photo, self._ends = studio.presets, studio.settings, photo, ends
        self._workers = studio.jobs.workers()
        self._loaded = loaded(studio.jobs.store, self._workers)
        self._here: Machine | None = None

    def plan(self, request: VideoRequest) -> MemoryPlan:
        """Plan one request. Errors as in `plan_for_workers`."""
        plan = plan_for_workers(
            self._workers,
            request,
            self._photo,
            self._settings,
            self._presets,
            loaded=self._loaded,
            here=self._here,
            ends=self._ends,
        )
        if not plan.machine.host:  # another one is a worker's report
            self._here = plan.machine
        return plan


@router.get("/estimate")
async def estimate(request: Request) -> dict[str, Any]:
    """Estimate a video for each resolution on this machine now; see `plan_json` and `EstimateIn`.

    `modes` has the seconds of each of the model's modes at that resolution.
    """
    return await _estimate(request, {})


@router.post("/estimate")
async def estimate_with_texts(request: Request) -> dict[str, Any]:
    """Estimate the same, with the prompts and LoRAs as the body (`LongEstimateIn`) beside the address's values."""
    return await _estimate(request, (await read_json(request, LongEstimateIn)).model_dump())


async def _estimate(request: Request, texts: Mapping[str, Any]) -> dict[str, Any]:
    studio, asked = request.app.state.studio, read_query(request, EstimateIn)
    photo, ends = (asked.pop("width"), asked.pop("height")), asked.pop("last_photo")
    wanted = _request({**asked, **texts})

    def look() -> dict[str, Any]:
        studio.presets.model(wanted.model)
        planner, found = Planner(studio, photo, ends), {}
        folder = find_model(wanted.model, studio.presets, studio.settings)
        sampled_steps(wanted, folder.preset)
        for name in studio.presets.resolutions:
            modes: dict[str, dict[str, Any]] = {}
            for mode in modes_of(folder.preset):
                modes[mode] = plan_json(planner.plan(replace(wanted, resolution=name, mode=mode)))
            found[name] = modes[wanted.mode] | {"modes": {mode: cost["seconds"] for mode, cost in modes.items()}}
        return found

    return await asyncio.to_thread(look)


@router.get("/estimate/models")
async def estimate_models(request: Request) -> dict[str, Any]:
    """Estimate one video with each model on this machine now, including models that are not downloaded.

    Settings that a model does not support are left out for it, as the form does when that model is chosen.

    Returns:
        `plan_json` by model; None if it cannot be estimated.
    """
    studio, asked = request.app.state.studio, read_query(request, ModelsEstimateIn)
    photo = asked.pop("width"), asked.pop("height")
    wanted = _request(asked | {"model": ""})

    def look() -> dict[str, Any]:
        presets = studio.presets
        presets.resolution(wanted.resolution)
        presets.duration(wanted.seconds)
        presets.quality(wanted.quality)
        planner = Planner(studio, photo)

        def cost(preset: ModelPreset) -> dict[str, Any] | None:
            try:
                return plan_json(planner.plan(_fitted(wanted, preset)))
            except FanslymotionError:  # what is wrong is said where the model is used
                return None

        return {preset.name: cost(preset) for preset in in_order(presets, studio.settings)}

    return await asyncio.to_thread(look)


def _request(asked: Mapping[str, Any]) -> VideoRequest:
    return VideoRequest.from_json({**asked, "seed": asked["seed"] or 0, "upscaler": asked["upscaler"] or None})


def _fitted(wanted: VideoRequest, preset: ModelPreset) -> VideoRequest:
    """Return the request for a model: without unsupported settings, and at a mode that it offers."""
    taken, plain = taken_by(preset), VideoRequest()
    without = {name: getattr(plain, name) for name, option in OPTIONS.items() if option.own and name not in taken}
    mode = wanted.mode if wanted.mode in modes_of(preset) else BEST
    return replace(wanted, model=preset.name, mode=mode, **without)
