"""Make one job's video from its photo: load, encode, sample, decode, save. Resume from checkpoints."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..presets import Presets
from ..settings import Settings
from .checkpoint import INTERVAL, Checkpoints
from .compile_stage import compile_model
from .families.base import ModelFolder
from .families.forecast import forecast
from .families.nan_checks import NotFinite
from .families.prompts import PromptCache
from .families.weights.compiling import is_compilers, reason
from .hardware.machine import Machine
from .hardware.malloc import free_memory
from .hardware.measurements import Measurements
from .hardware.oom import is_oom, is_ram
from .hardware.vram import forbid_spilling
from .media.join import earlier_track
from .media.mp4 import read_track
from .media.normalised_photo import NormalisedPhoto
from .media.upscale.files import UpscalerFile
from .media.upscale.tile_sizes import take_smaller_tiles
from .memory.fallback import MemoryFallback
from .model_cache import ModelCache
from .progress import ProgressCallback, Stage, ignore
from .request import VideoRequest, VideoResult
from .resolve import resolve, with_plan
from .stages import Attempt, encode, encode_prompt, load, sample
from .video_file import VideoFile

log = logging.getLogger(__name__)


def produce(
    request: VideoRequest,
    *,
    model: ModelFolder,
    photo: Path | NormalisedPhoto,
    out: Path,
    work: Path,
    settings: Settings,
    presets: Presets,
    model_cache: ModelCache,
    progress: ProgressCallback = ignore,
    record: dict[str, Any] | None = None,
    measures: dict[str, Any] | None = None,
    checkpoint_seconds: float = INTERVAL,
    machine: Machine | None = None,
    killed: Stage | None = None,
    upscaler: UpscalerFile | None = None,
    before: Path | None = None,
    last: NormalisedPhoto | None = None,
) -> VideoResult:
    """Make the video `out` from `photo`, and resume from the checkpoint in `work` if there is one.

    Out of memory is not an error: the job falls back to a cheaper plan and resumes (`memory/fallback.py`).

    Args:
        request: The settings.
        model: The folder of `request.model` (`models.find`).
        photo: The photo; a path is normalised when it is opened.
        out: The mp4 file to write; whole or absent.
        work: The job's work folder, with its checkpoints.
        settings: The data folder.
        presets: All presets.
        model_cache: Loads the model, and keeps it for the next job.
        progress: Called in this thread at least once per step. Cancelled and HandBack that it raises pass through.
        record: Added to the file's metadata (the job's id). Everyone who gets the video can read it.
        measures: Filled for tests and benchmarks; see `Attempt.measures`.
        checkpoint_seconds: Time between checkpoints within a window. The end of a window always writes one.
        machine: To plan the memory for; None = this machine as it is now.
        killed: Stage in which the system killed the previous attempt's process for lack of memory, or None.
        upscaler: The file of `request.upscaler` (`models.find`); None = no upscaler.
        before: Video to prepend, whose last frame is `photo`. `out` is then both, with that frame once.
        last: Picture that the video ends with, for a model that supports it.

    Raises:
        BadInput, ModelError, RenderError: The job failed. The error's notes list the plan changes that were tried.
    """
    photo = NormalisedPhoto(photo) if isinstance(photo, Path) else photo
    image, end = photo.open(), None if last is None else last.open()
    if before is not None:
        earlier_track(before)
    resolved = resolve(request, image.size, model, presets, upscaler=upscaler)
    compiles = not model_cache.compiler.failed
    fallback = MemoryFallback(
        request, image.size, model, presets, settings, work, machine, killed, upscaler, compiles, last is not None
    )
    if killed in (Stage.DECODING, Stage.SAVING):
        take_smaller_tiles(work)
    while True:
        plan = fallback.plan
        if plan.device == "cuda":
            forbid_spilling(forecast(plan).limit, plan.machine.vram_total)
        job = Attempt(with_plan(resolved, plan), plan, image, work, progress, end)
        go_on: Callable[[], object] | None = None
        try:
            prompts = PromptCache(settings.prompts_dir)
            result = _run(
                job, model_cache, photo, out, record or {}, checkpoint_seconds, prompts, fallback, before, last
            )
        except Exception as e:
            if is_oom(e):
                go_on = partial(fallback.step_down, job.stage, str(e) or type(e).__name__, is_ram(e))
            elif isinstance(e, NotFinite) and fallback.can_use_float32:
                go_on = partial(fallback.use_float32, job.stage)
            elif plan.compiled and is_compilers(e):
                model_cache.compiler.failed = True
                log.debug("Compiling failed", exc_info=True)
                go_on = partial(fallback.stop_compiling, reason(e))
            else:
                fallback.note(e)
                raise
        # Outside of `except`: the exception holds the frames, and those the tensors (pytorch #18853).
        if go_on is None:
            break
        del job
        model_cache.forget_failed()
        free_memory()
        go_on()
    job.record(Measurements(settings.home))
    fallback.done(job.clock.seconds.get(Stage.SAMPLING, 0.0), job.sampled_share)
    if measures is not None:
        measures.update(job.measures, plan=fallback.plan)
    return replace(result, warnings=(*result.warnings, *fallback.warnings))


def _run(
    attempt: Attempt,
    model_cache: ModelCache,
    photo: NormalisedPhoto,
    out: Path,
    record: dict[str, Any],
    checkpoint_seconds: float,
    prompts: PromptCache,
    fallback: MemoryFallback,
    before: Path | None,
    last: NormalisedPhoto | None,
) -> VideoResult:
    """Run all stages of one attempt, one after the other."""
    resolved, compiled = attempt.resolved, attempt.memory.compiled
    prompt = encode_prompt(attempt, model_cache, prompts)
    model = load(attempt, model_cache)
    # Now, since it reads files of the model: they may change, or go, while the video is made.
    metadata = {**resolved.metadata(compiled, last is not None), "job": record}
    key = partial(resolved.key, photo, model.fingerprint, model.arithmetic, last=last)
    earlier = key(compiled=True) if fallback.begun_compiled else ""
    checkpoints = Checkpoints(attempt.work, key(compiled=compiled), interval=checkpoint_seconds, earlier=earlier)
    encoded = encode(attempt, model, checkpoints, prompt)
    if seconds := compile_model(attempt, model, encoded.state):
        fallback.note_compiled(seconds)
    latents = sample(attempt, model, checkpoints, encoded)
    VideoFile(attempt, out, metadata, before).write(model, latents, attempt.memory.decode_chunk)
    attempt.measures["checkpoint_seconds"] = checkpoints.seconds
    return VideoResult(
        path=out,
        width=resolved.width,
        height=resolved.height,
        frames=resolved.shown if before is None else read_track(out).frames,
        fps=resolved.fps,
        stage_seconds={stage.value: seconds for stage, seconds in attempt.clock.seconds.items()},
        warnings=tuple(attempt.warnings),
    )
