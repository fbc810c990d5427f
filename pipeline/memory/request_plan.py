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
from ..families.words import WordCache
from ..hardware import devices
from ..hardware.gpus import GpuWatch
from ..hardware.machine import Machine, with_speeds
from ..hardware.measurements import Measurements
from ..media.detail.size import enlarged, gives_detail
from ..media.upscale.files import UpscalerFile
from ..output import drawn_size, resolve_output
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
    """Plan how the request would be computed now.

    Args:
        request: the request.
        photo_size: width and height in pixels.
        model: the model's folder.
        presets: all presets.
        settings: tell the measurements' folder.
        upscaler: the file of `request.upscaler` (`models.find`).
        own: ids of processes whose memory counts as free (default: this one); a worker unloads its cached model.
        held: bytes of video memory that a worker reports as its own (`Cuda.held`).
        loaded: models that workers keep loaded (`ModelFolder.loaded_as`). One that reads prompts is loaded again for a
            new prompt, and one with other LoRAs, too.
        machine: to plan for, instead of this one.
        ends: the video ends with a picture of its own, which is no part of the request.

    Raises:
        PresetError: the request names an unknown preset.
        BadInput: the model does not have the request's mode.
    """
    work = work_of(request, photo_size, model, presets, upscaler, ends)
    size = size_of(replace(model, int8=request.int8))
    measured = Measurements(settings.home).read()
    pids = frozenset([os.getpid()] if own is None else own)
    cuda = devices.Cuda.here() if own is None else None
    if machine is not None and machine.host:  # as its worker reported it, without measurements
        machine = with_speeds(machine, measured.speeds, size.large)
    here = machine or devices.machine(watch, speeds=measured.speeds, own=pids, large=size.large, cuda=cuda, held=held)
    warm = wished_as(request, model) in loaded and _words_are_there(request, model, presets, settings)
    here = replace(here, figures=measured.figures, loaded=size.name if warm else "")
    found = PlanHistory(settings).recall(plan(here, size, work), size.name)
    return settle_compiling(found, settings.compile, measured, pids)


def _words_are_there(request: VideoRequest, model: ModelFolder, presets: Presets, settings: Settings) -> bool:
    """Tell whether no text encoder has to be loaded, for which a loaded model would make room."""
    kind, preset = family(model.preset.family), model.preset
    if all(component.role is not Role.TEXT for component in kind.components):
        return True
    rate = presets.rate(preset, presets.duration(request.seconds), presets.quality(request.quality))
    try:
        key = kind.words_key(model, kind.options(request, preset, rate.fps))
    except ModelError:  # its files cannot be read now; the job says so
        return False
    return key in WordCache(settings.words_dir)


def wished_as(request: VideoRequest, model: ModelFolder) -> str:
    """Return the name of the loaded model that the request needs, see `ModelFolder.loaded_as`."""
    usual = model.preset.sampling.lora_strength
    loras = [(one.name, usual if one.strength is None else one.strength) for one in request.loras]
    return loaded_name(replace(model, int8=request.int8).measured_as, loras)


def size_of(model: ModelFolder) -> ModelSize:
    """Return a model's size as plans and measurements have it."""
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
    """Return the work of a request: its sizes and numbers of frames and steps. Raise PresetError, BadInput."""
    preset = model.preset
    output = resolve_output(request, photo_size, preset, presets)
    drawn = drawn_size(output, preset)
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
        loop=preset.loop,
        detail=request.detail and gives_detail(photo_size, drawn, preset.trim, output.size, request.fit),
        upscaler=network,
        upscaler_name=upscaler.name if upscaler and network else "",
        schedule=sampled.schedule,
        effort=sampled.effort,
        ends=ends or request.loop,
    )
