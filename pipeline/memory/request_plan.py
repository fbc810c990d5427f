"""Plan a request on this machine before it starts. Without torch."""

import os
from collections.abc import Collection, Iterable
from dataclasses import replace

from ...errors import ModelError
from ...presets import Presets
from ...settings import Settings
from ..families import family
from ..families.base import MemoryPlan, ModelFolder, ModelSize, Role, Work
from ..families.description import loaded_name
from ..families.modes import sampled_steps
from ..families.prompts import PromptCache
from ..hardware import devices
from ..hardware.gpus import GpuWatch
from ..hardware.machine import Machine, with_speeds
from ..hardware.measurements import Measurements
from ..media.detail.size import enlarged, gives_detail
from ..media.upscale.files import UpscalerFile
from ..output import resolve_output, sampled_size
from ..request import VideoRequest
from .compiling import settle_compiling
from .history import PlanHistory
from .planner import plan

watch = GpuWatch()


def plan_request(
    request: VideoRequest,
    photo_size: tuple[int, int],
    model: ModelFolder,
    presets: Presets,
    settings: Settings,
    *,
    upscaler: UpscalerFile | None = None,
    own: Iterable[int] | None = None,
    held: int = 0,
    loaded: Collection[str] = (),
    machine: Machine | None = None,
    ends: bool = False,
) -> MemoryPlan:
    """Plan how a request would be computed now.

    Args:
        request: The request.
        photo_size: Width and height of the photo, pixels.
        model: The model's folder.
        presets: All presets.
        settings: The data folder, with its measurements.
        upscaler: The file of `request.upscaler` (`models.find`).
        own: Ids of processes whose memory counts as free (default: this one); a worker releases its cached model.
        held: Bytes of video memory that a worker reports as its own (`Cuda.held`).
        loaded: Models that workers keep loaded (`ModelFolder.loaded_as`). One that reads prompts is loaded again for a
            new prompt, and so is one with other LoRAs.
        machine: The machine to plan for; None = this one.
        ends: The video ends with a given picture, which is not a part of the request.

    Raises:
        PresetError: The request names an unknown preset.
        BadInput: The model does not offer the request's mode.
    """
    work = work_of(request, photo_size, model, presets, upscaler, ends)
    size = size_of(replace(model, int8=request.int8))
    measured = Measurements(settings.home).read()
    pids = frozenset([os.getpid()] if own is None else own)
    cuda = devices.Cuda.here() if own is None else None
    if machine is not None and machine.host:  # as its worker reported it, without measurements
        machine = with_speeds(machine, measured.speeds, size.large)
    here = machine or devices.machine(watch, speeds=measured.speeds, own=pids, large=size.large, cuda=cuda, held=held)
    warm = requested_as(request, model) in loaded and _is_prompt_cached(request, model, presets, settings)
    here = replace(here, figures=measured.figures, loaded=size.name if warm else "")
    found = PlanHistory(settings).recall(plan(here, size, work), size.name)
    return settle_compiling(found, settings.compile, measured, pids)


def _is_prompt_cached(request: VideoRequest, model: ModelFolder, presets: Presets, settings: Settings) -> bool:
    """Tell whether the request needs no text encoder: its prompt is cached, or the model reads none."""
    kind, preset = family(model.preset.family), model.preset
    if all(component.role is not Role.TEXT for component in kind.components):
        return True
    rate = presets.rate(preset, presets.duration(request.seconds), presets.quality(request.quality))
    try:
        key = kind.prompt_key(model, kind.options(request, preset, rate.fps))
    except ModelError:  # its files cannot be read now; the job says so
        return False
    return key in PromptCache(settings.prompts_dir)


def requested_as(request: VideoRequest, model: ModelFolder) -> str:
    """Return the name of the loaded model that the request needs, see `ModelFolder.loaded_as`."""
    usual = model.preset.sampling.lora_strength
    loras = [(one.name, usual if one.strength is None else one.strength) for one in request.loras]
    return loaded_name(replace(model, int8=request.int8).measured_as, loras)


def size_of(model: ModelFolder) -> ModelSize:
    """Return a model's size under the name of its measurements."""
    found = family(model.preset.family).size(model.folder, model.preset)
    return replace(found, name=model.measured_as, int8=model.int8)


def work_of(
    request: VideoRequest,
    photo_size: tuple[int, int],
    model: ModelFolder,
    presets: Presets,
    upscaler: UpscalerFile | None = None,
    ends: bool = False,
) -> Work:
    """Return the work of a request: sizes, numbers of frames and steps. Raise PresetError or BadInput."""
    preset = model.preset
    output = resolve_output(request, photo_size, preset, presets)
    drawn = sampled_size(output, preset)
    sampled = sampled_steps(request, preset)
    network = upscaler.network if upscaler and enlarged(drawn, preset.trim, output.size) else None
    return Work(
        width=drawn[0],
        height=drawn[1],
        frames=output.sampled,
        steps=sampled.steps,
        guided=preset.sampling.max_guidance > 1,
        shown_frames=output.shown,
        shown_pixels=output.width * output.height,
        period=preset.loop,
        detail=request.detail and gives_detail(photo_size, drawn, preset.trim, output.size, request.fit),
        upscaler=network,
        upscaler_name=upscaler.name if upscaler and network else "",
        schedule=sampled.schedule,
        effort=sampled.effort,
        ends=ends or request.loop,
    )
