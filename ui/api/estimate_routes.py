"""Serve estimates over HTTP: what a video takes on this machine, by size, by speed and by model."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request

from ...errors import FanslymotionError
from ...models.choice import in_order
from ...models.find import find_model, find_upscaler, taken_by
from ...pipeline.families.base import MemoryPlan, ModelFolder
from ...pipeline.families.modes import modes_of, sampled_steps
from ...pipeline.memory.request_plan import plan_request
from ...pipeline.request import VideoRequest
from ...presets import ModelPreset
from ...presets.options import BEST, OPTIONS
from ...queue.suitability import held, machine_for
from ...queue.worker.loaded_note import loaded
from ..context import Studio
from ..serializers import plan_json
from .requests import EstimateIn, LongEstimateIn, ModelsEstimateIn, read_json, read_query

router = APIRouter(prefix="/studio")


class Planner:
    """Plans requests for the workers of this moment; the machine is looked at once.

    Args:
        studio: The studio.
        photo: Width and height in pixels.
        ends: The video ends with a picture of its own.
    """

    def __init__(self, studio: Studio, photo: tuple[int, int], ends: bool = False) -> None:
        self._presets, self._settings, self._photo, self._ends = studio.presets, studio.settings, photo, ends
        self._workers = studio.jobs.workers()
        self._own = [worker.pid for worker in self._workers if worker.alive]
        self._held, self._loaded = held(self._workers), loaded(studio.jobs.store, self._workers)
        self._here = None

    def plan(self, request: VideoRequest, folder: ModelFolder) -> MemoryPlan:
        """Plan one request. Errors as in `plan_request`."""
        presets, settings = self._presets, self._settings
        elsewhere = machine_for(self._workers, request, self._photo, settings, presets)
        plan = plan_request(
            request,
            self._photo,
            folder,
            presets,
            settings,
            upscaler=find_upscaler(request.upscaler, presets, settings),
            own=self._own,
            held=self._held,
            loaded=self._loaded,
            machine=elsewhere or self._here,
            ends=self._ends,
        )
        if not elsewhere:
            self._here = plan.machine
        return plan


@router.get("/estimate")
async def estimate(request: Request) -> dict[str, Any]:
    """Estimate for each resolution what a video takes on this machine now; see `plan_json` and `EstimateIn`.

    `modes` has the seconds of each mode of the model, at that resolution.
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
                modes[mode] = plan_json(planner.plan(replace(wanted, resolution=name, mode=mode), folder))
            found[name] = modes[wanted.mode] | {"modes": {mode: cost["seconds"] for mode, cost in modes.items()}}
        return found

    return await asyncio.to_thread(look)


@router.get("/estimate/models")
async def estimate_models(request: Request) -> dict[str, Any]:
    """Estimate what one video takes on this machine now with each model, also with those that are not downloaded.

    Settings that a model does not take are left out for it, as the form does when that model is chosen.

    Returns:
        By model, `plan_json`; None where it cannot be told.
    """
    studio, asked = request.app.state.studio, read_query(request, ModelsEstimateIn)
    photo = asked.pop("width"), asked.pop("height")
    wanted = _request(asked | {"model": ""})

    def look() -> dict[str, Any]:
        presets = studio.presets
        presets.resolution(wanted.resolution)
        presets.duration(wanted.seconds)
        presets.quality(wanted.quality)
        planner, settings = Planner(studio, photo), studio.settings

        def cost(preset: ModelPreset) -> dict[str, Any] | None:
            try:
                fitted = _fitted(wanted, preset)
                return plan_json(planner.plan(fitted, find_model(preset.name, presets, settings)))
            except FanslymotionError:  # what is wrong is said where the model is used
                return None

        return {preset.name: cost(preset) for preset in in_order(presets, settings)}

    return await asyncio.to_thread(look)


def _request(asked: Mapping[str, Any]) -> VideoRequest:
    return VideoRequest.from_json({**asked, "seed": asked["seed"] or 0, "upscaler": asked["upscaler"] or None})


def _fitted(wanted: VideoRequest, preset: ModelPreset) -> VideoRequest:
    """Return the request for a model: without settings that it does not take, and at a speed that it has."""
    taken, plain = taken_by(preset), VideoRequest()
    without = {name: getattr(plain, name) for name, option in OPTIONS.items() if option.own and name not in taken}
    mode = wanted.mode if wanted.mode in modes_of(preset) else BEST
    return replace(wanted, model=preset.name, mode=mode, **without)
