"""Rows `limits`, `limits_fixed` and `mini`: whole jobs through `produce`, with the encoder replaced by a sink."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fanslymotion.errors import HandBack
from fanslymotion.models.find import find_model
from fanslymotion.pipeline import video_file
from fanslymotion.pipeline.families.forecast import forecast
from fanslymotion.pipeline.hardware import devices
from fanslymotion.pipeline.hardware.units import CONTEXT
from fanslymotion.pipeline.media.frame_checks import FrameGuard
from fanslymotion.pipeline.media.interpolate import interpolate
from fanslymotion.pipeline.memory.fallback import MemoryFallback
from fanslymotion.pipeline.memory.request_plan import plan_request
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.produce import produce
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings

from .harness import GIB, PHOTO, SEED, Bench, Figures, difference, free, peaks, reset_peak, timed

LIMITS = (8, 6, 12, 24, 4, 16)
"""GiB of the card, in order of value."""
LEAST = 25.0
"""Seconds without which another one is not begun."""


class Sink:
    """Takes the encoder's place: frames are counted, no file is made."""

    last = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        Sink.last = self.encoded = 0

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, frame: np.ndarray) -> None:
        self.encoded += 1
        Sink.last = self.encoded


class Lenient(FrameGuard):
    """Random weights draw no pictures: what the guard would say is noted, not raised."""

    said = ""

    def check(self, frames: np.ndarray, first: int) -> None:
        try:
            super().check(frames, first)
        except Exception as e:
            Lenient.said = str(e)


class Stages:
    """The progress callback: peak memory of each stage, seconds of each step."""

    def __init__(self, also: Callable[[Progress], None] = lambda moment: None) -> None:
        self.found: dict[str, dict[str, float]] = {}
        self.marks: list[tuple[int, float]] = []
        self._also = also
        self._stage: Stage | None = None
        self._began = 0.0
        reset_peak()

    def __call__(self, moment: Progress) -> None:
        if moment.stage is not self._stage:
            self.close()
            self._stage, self._began = moment.stage, time.perf_counter()
            self.marks.clear()
        if moment.stage is Stage.SAMPLING and (not self.marks or self.marks[-1][0] != moment.step):
            self.marks.append((moment.step, time.perf_counter()))
            steps = [round(b[1] - a[1], 3) for a, b in zip(self.marks, self.marks[1:], strict=False)]
            self.found.setdefault("sampling", {})["steps_s"] = steps  # pyright: ignore[reportArgumentType]
        self._also(moment)

    def close(self) -> None:
        """End the stage in work."""
        if self._stage is not None:
            now = self.found.setdefault(str(self._stage), {})
            now["seconds"] = round(now.get("seconds", 0.0) + time.perf_counter() - self._began, 3)
            # What was allocated the job itself reads and resets (hardware.vram); what was reserved stays.
            now["reserved_gib"] = max(now.get("reserved_gib", 0.0), peaks()["reserved_gib"])
        reset_peak()


@contextmanager
def without_encoder(lenient: bool = True) -> Iterator[None]:
    before = video_file.VideoEncoder, video_file.FrameGuard
    video_file.VideoEncoder = Sink  # pyright: ignore[reportAttributeAccessIssue]
    if lenient:
        Lenient.said = ""
        video_file.FrameGuard = Lenient
    try:
        yield
    finally:
        video_file.VideoEncoder, video_file.FrameGuard = before


@contextmanager
def home(seconds: int = 0, fps: int = 0) -> Iterator[Settings]:
    """A data folder with one more length of clips, where one is given."""
    folder = Path(tempfile.mkdtemp(prefix="fanslymotion-gpu-"))
    try:
        (folder / "presets").mkdir()
        if seconds:
            (folder / "presets" / "durations.toml").write_text(
                f"[short]\nseconds = {seconds}\nfps = {fps}\n", encoding="utf-8"
            )
        yield Settings.local(folder, folder / "models")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def card_of(bench: Bench, limit: int) -> Iterator[None]:
    """Give torch's allocator what a card of `limit` GiB leaves beside the process's own context."""
    if not bench.cuda:
        yield
        return
    free()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, (limit * GIB - (bench.overhead or CONTEXT)) / total))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        free()


@dataclass(frozen=True)
class Asked:
    """What is asked for on each card.

    seconds and fps: one more length of clips that it needs, 0 = none. compile: `Settings.compile`.
    """

    request: VideoRequest
    seconds: int = 0
    fps: int = 0
    compile: str = "never"


def window_of_svd(bench: Bench) -> Asked:
    """One window, three steps."""
    request = VideoRequest(
        resolution="720p", seconds=1, quality="sampled", model=str(bench.model), seed=SEED, steps=3, detail=False
    )
    return Asked(request, 1, bench.folder.preset.frames)


def limits(bench: Bench, figures: Figures) -> None:
    figures.put(overhead_bytes=bench.overhead)
    each(bench, figures, (6, 4) if bench.tiny else LIMITS, window_of_svd(bench))


def each(bench: Bench, figures: Figures, limits: tuple[int, ...], asked: Asked) -> None:
    """A job for each card, and how far its latents are from those of the first card with the same guidance passes."""
    first: dict[bool, torch.Tensor] = {}
    for limit in limits:
        name = f"{limit} GB"
        if bench.left < LEAST and not bench.tiny:
            figures.put(skipped_from=name)
            break
        with figures.part(name) as part, card_of(bench, limit):
            part["held_before_gib"] = round(torch.cuda.memory_allocated() / GIB, 3) if bench.cuda else 0.0
            found, latents = _limited(bench, limit, asked)
            part.update(found)
            if latents is not None:
                other = first.setdefault(found["ended_with"]["two_pass"], latents)
                part["against the first"] = difference(latents, other) if latents.shape == other.shape else "other size"
        free()


def limits_fixed(bench: Bench, figures: Figures) -> None:
    """As `limits`, where the allocator's segments keep their size (the parent sets the variable)."""
    each(bench, figures, (8,) if bench.tiny else (12, 8, 6, 4), window_of_svd(bench))


def compile_job(bench: Bench, figures: Figures) -> None:
    """A job compiled from the first video on, in a process that finds the kernels of row `compile`."""
    each(bench, figures, (80,), replace(window_of_svd(bench), compile="always"))


def _limited(bench: Bench, limit: int, asked: Asked) -> tuple[dict[str, Any], torch.Tensor | None]:
    """A full-size job on a card of so many GiB: what was planned, what happened, and its latents."""
    here = devices.machine(cuda=devices.Cuda.here())
    machine = replace(here, vram_total=limit * GIB, vram_free=limit * GIB) if bench.cuda else here
    wanted, stages, measures, fallbacks = asked.request, Stages(), {}, []
    with home(asked.seconds, asked.fps) as settings, without_encoder(), _noting(fallbacks):
        settings = replace(settings, compile=asked.compile)
        presets = load_presets(settings)
        model = find_model(wanted.model, presets, settings)
        plan = plan_request(wanted, (1600, 900), model, presets, settings, machine=machine)
        expected = forecast(plan)
        found: dict[str, Any] = {"plan": plan.settings, "placement": plan.placement, "fits": expected.fits}
        planned = (Stage.LOADING, Stage.CONDITIONING, Stage.SAMPLING, Stage.DECODING)
        found["planned_gib"] = {str(stage): round(expected.peaks[stage] / GIB, 2) for stage in planned}
        found["planned_s"] = {str(stage): round(seconds, 1) for stage, seconds in expected.stage_seconds.items()}
        began = time.perf_counter()
        try:
            result = produce(
                wanted,
                model=model,
                photo=PHOTO,
                out=settings.home / "clip.mp4",
                work=settings.home / "work",
                settings=settings,
                presets=presets,
                model_cache=ModelCache(),
                progress=stages,
                measures=measures,
                machine=machine,
            )
            done = measures["plan"]
            found |= {
                "first_plan_held": done.settings == plan.settings,
                "ended_with": done.settings,
                "warnings": list(result.warnings),
                "stage_seconds": {name: round(seconds, 2) for name, seconds in result.stage_seconds.items()},
                "frames": Sink.last,
            }
        except Exception as e:  # how it ended on such a card is the figure
            found["error"] = f"{type(e).__name__}: {e}"[:600]
            found["notes"] = getattr(e, "__notes__", [])
        stages.close()
        found |= {
            "whole_s": round(time.perf_counter() - began, 2),
            "stages": stages.found,
            "fallbacks": fallbacks,
            "guard_said": Lenient.said,
        }
    latents = measures.get("latents")
    return found, None if latents is None else latents.cpu()


@contextmanager
def _noting(fallbacks: list[str]) -> Iterator[None]:
    """Note each plan that a job steps down to, and why."""
    step_down = MemoryFallback.step_down

    def noted(self: MemoryFallback, stage: Stage, error: str, ram: bool = False) -> bool:
        fallbacks.append(f"{stage}: {error.splitlines()[0][:160]}")
        held = step_down(self, stage, error, ram)
        fallbacks.append(f"-> {self.plan.settings}")
        return held

    MemoryFallback.step_down = noted
    try:
        yield
    finally:
        MemoryFallback.step_down = step_down


def mini(bench: Bench, figures: Figures) -> None:
    """The bundled model's whole job, its resume on this device, and interpolation alone."""
    with home(2, 3) if bench.tiny else home() as settings:
        presets = load_presets(settings)
        model_cache = ModelCache()
        request = VideoRequest(resolution="480p", seconds=2 if bench.tiny else 6, quality="standard", seed=SEED)
        if bench.tiny:
            request = replace(request, model=str(bench.model), steps=3)

        def job(name: str, **more: Any) -> tuple[Any, dict[str, Any]]:
            measures: dict[str, Any] = {}
            with without_encoder(lenient=bench.tiny):
                result = produce(
                    request,
                    model=find_model(request.model, presets, settings),
                    photo=PHOTO,
                    out=settings.home / f"{name}.mp4",
                    work=settings.home / more.pop("work", name),
                    settings=settings,
                    presets=presets,
                    model_cache=model_cache,
                    measures=measures,
                    **more,
                )
            return result, measures

        digest = ""
        for name in ("first", "again"):
            with figures.part(name) as part:
                part["whole_s"], (result, measures) = timed(lambda name=name: job(name))
                part.update(
                    plan=measures["plan"].settings,
                    stage_seconds={stage: round(s, 3) for stage, s in result.stage_seconds.items()},
                    warnings=list(result.warnings),
                    frames=Sink.last,
                    same_frames=not digest or digest == measures["frames_sha256"],
                    **peaks(),
                )
                digest = measures["frames_sha256"]
        with figures.part("resume") as part:
            part.update(_mini_resumed(job, digest))
    for size in ((64, 36),) if bench.tiny else ((256, 144), (1024, 576)):
        with figures.part(f"interpolation x2 of 36 frames {size[0]}x{size[1]}") as part:
            part["seconds"] = _interpolated(size)


def _mini_resumed(job: Callable[..., Any], digest: str) -> dict[str, Any]:
    def stop(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.x0 is not None and moment.step * 2 >= moment.steps:
            raise HandBack

    with suppress(HandBack):
        job("stopped", work="resumed", progress=stop)
    _, measures = job("resumed", work="resumed")
    return {"resumed_at": measures["resumed"], "same_frames": measures["frames_sha256"] == digest}


def _interpolated(size: tuple[int, int]) -> float:
    """Seconds for a picture that moves to the right."""
    wide = np.asarray(_texture(size[0] + 80, size[1]))
    frames = [np.ascontiguousarray(wide[:, 2 * i : 2 * i + size[0]]) for i in range(36)]
    return timed(lambda: sum(1 for _ in interpolate(iter(frames), 2, 72)))[0]


def _texture(width: int, height: int) -> Any:
    from PIL import Image

    with Image.open(PHOTO) as image:
        return image.convert("RGB").resize((width, height))
