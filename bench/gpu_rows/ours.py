"""Rows `exact`, `variants` and `fast`: our own loop, as it is and in other ways of computing it."""

import re
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fanslymotion.errors import HandBack
from fanslymotion.pipeline.checkpoint import Checkpoints
from fanslymotion.pipeline.families.base import Offload, VideoModel
from fanslymotion.pipeline.families.modes import sampled_steps
from fanslymotion.pipeline.families.steps.effort import Effort
from fanslymotion.pipeline.families.svd.cost import PIECES
from fanslymotion.pipeline.families.svd.decoding.vae import decode
from fanslymotion.pipeline.families.svd.model import LoadedModel
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.sampling.euler import Guidance
from fanslymotion.pipeline.sampling.windowed import SamplingParams, SamplingState, begin, sample_clip
from fanslymotion.presets.options import MODES
from safetensors.torch import load_file
from torch.nn.attention import SDPBackend

from . import patches
from .basics import STOCK_LATENTS
from .harness import Bench, Figures, Nowhere, StepClock, difference, free, peaks, reset_peak, sync, timed
from .patches import Patch

FULL_STEPS = 25
"""Steps of a window at the best quality, for the totals."""


def load(bench: Bench, figures: Figures) -> LoadedModel:
    seconds, loaded = timed(lambda: ModelCache().get(bench.folder, placement=bench.placement()))
    figures.put(load_s=seconds)
    return loaded


def without_shortcuts(bench: Bench) -> LoadedModel:
    """The UNet with diffusers' own arithmetic."""
    loaded = ModelCache(shortcuts=False).get(bench.folder, placement=bench.placement())
    assert isinstance(loaded, LoadedModel)
    return loaded


def sample(
    loaded: VideoModel, clip: SamplingParams, state: SamplingState, checkpoints: Any = None
) -> tuple[torch.Tensor, Any]:
    """The clip's latents and what each step took."""
    clock = StepClock()
    latents = sample_clip(loaded, clip, state, checkpoints=checkpoints or Nowhere(), on_step=clock.tick)
    return latents, clock.figures


def decoded(loaded: LoadedModel, latents: torch.Tensor, chunk: int) -> float:
    """Seconds to decode all frames."""
    return timed(lambda: sum(len(frames) for frames in decode(loaded, latents, chunk)))[0]


def exact(bench: Bench, figures: Figures) -> None:
    loaded = load(bench, figures)
    clip, photo = bench.clip(), bench.photo()
    with figures.part("conditioning") as part:
        part["first_s"], state = timed(lambda: begin(loaded, clip, photo))
        part["again_s"], _ = timed(lambda: begin(loaded, clip, photo))
        part.update(peaks())
    with figures.part("sampling") as part, tempfile.TemporaryDirectory(dir=bench.work) as kept:
        reset_peak()
        latents, steps = sample(loaded, clip, state, Checkpoints(Path(kept), "bench"))
        part.update(steps, **peaks(), finite=bool(torch.isfinite(latents).all()))
    with figures.part("parity with stock") as part:
        wanted = load_file(bench.work / STOCK_LATENTS)["latents"]
        part.update(difference(sample(without_shortcuts(bench), clip, state)[0], wanted))
        part["with shortcuts"] = difference(latents, wanted)
    free()
    with figures.part("same again") as part:
        part.update(difference(sample(loaded, clip, state)[0], latents))
    with figures.part("resume") as part, tempfile.TemporaryDirectory(dir=bench.work) as kept:
        part.update(resumed(loaded, clip, state, latents, Path(kept)))
    with figures.part("profile") as part:
        part.update(_profile(bench, loaded, clip, state))
    free()
    frames = clip.plan.frames
    with figures.part("decode warm-up") as part:
        part["seconds"] = decoded(loaded, latents[:, :5], 5)
    for chunk in (5, 8, frames):
        with figures.part(f"decode chunk {chunk}") as part:
            reset_peak()
            part["seconds"] = decoded(loaded, latents, chunk)
            part.update(peaks())
        free()


def resumed(loaded: VideoModel, clip: SamplingParams, state: SamplingState, wanted: torch.Tensor, kept: Path) -> dict:
    """Stop in mid-window, go on from the file."""
    stop = clip.steps // 2

    def interrupt(window: int, step: int, denoised: torch.Tensor) -> None:
        if step == stop:
            raise HandBack

    with suppress(HandBack):
        sample_clip(loaded, clip, state, checkpoints=Checkpoints(kept, "bench"), on_step=interrupt)
    saved = Checkpoints(kept, "bench").load()
    assert saved is not None
    return {"at_step": saved.state.step, **difference(sample(loaded, clip, saved.state)[0], wanted)}


KINDS = (
    ("attention", r"flash|fmha|attention|sdpa"),
    ("matrix products and convolutions", r"gemm|xmma|cutlass|nvjet|conv|cudnn|wgrad|dgrad|winograd|implicit|mma"),
    ("copies and layouts", r"memcpy|memset|copy|cat|nchw|nhwc|transpose|repeat"),
    ("norms", r"norm|rowwise|welford|reduce"),
    ("elementwise", r"elementwise|vectorized|silu|gelu|add|mul"),
)


def _profile(bench: Bench, loaded: LoadedModel, clip: SamplingParams, state: SamplingState) -> dict[str, Any]:
    """torch.profiler over the second step: host syncs, kernels, where the time goes, how long the GPU waits."""
    from torch.autograd import DeviceType  # pyright: ignore[reportPrivateImportUsage]
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if bench.cuda else [])
    profiler = profile(activities=activities)
    clock: list[StepClock] = []

    def on_step(window: int, step: int, denoised: torch.Tensor) -> None:
        sync()
        if step == 1:
            profiler.start()
            clock.append(StepClock())
        elif step == 2:
            clock[0].tick()
            profiler.stop()

    sample_clip(loaded, replace(clip, steps=max(3, clip.steps)), state, checkpoints=Nowhere(), on_step=on_step)
    wall = clock[0].steps[0]
    events = profiler.events() or []
    kernels = [e for e in events if e.device_type == DeviceType.CUDA]
    busy = _busy([(e.time_range.start, e.time_range.end) for e in kernels]) / 1e6
    calls: dict[str, int] = {}
    for event in events:
        if event.device_type == DeviceType.CPU:
            calls[event.name] = calls.get(event.name, 0) + 1
    averages = profiler.key_averages()
    key = "self_device_time_total" if bench.cuda else "self_cpu_time_total"
    (bench.out / "profile.txt").write_text(
        f"One step, {wall} s with the profiler on.\n"
        + averages.table(sort_by=key, row_limit=60, max_name_column_width=110),
        encoding="utf-8",
    )
    top = _by_name(kernels if bench.cuda else events, on_gpu=bench.cuda)
    ops = sorted(averages, key=lambda a: -getattr(a, key, 0.0))
    ops = [a for a in ops if a.device_type == DeviceType.CPU][:15]
    return {
        "wall_ms": round(1000 * wall, 1),
        "kernels": len(kernels),
        "busy_ms": round(1000 * busy, 1),
        "idle_percent": round(100 * (1 - busy / wall), 1) if kernels else None,
        "ms_by_kind": _by_kind(top),
        "host_calls": {
            name: calls[name]
            for name in sorted(calls)
            if re.search(
                r"Synchronize|_local_scalar_dense|aten::item|cudaMemcpy|cudaMalloc|cudaFree|LaunchKernel", name
            )
        },
        "top_kernels_ms": [[name[:90], round(took, 2), count] for name, (took, count) in top[:15]],
        "top_ops_ms": [[a.key[:60], round(getattr(a, key, 0.0) / 1000, 2), a.count] for a in ops],
    }


def _by_name(events: Sequence[Any], on_gpu: bool) -> list[tuple[str, tuple[float, int]]]:
    """Name, and (milliseconds, calls) of each kind of event, the longest first."""
    found: dict[str, tuple[float, int]] = {}
    for event in events:
        took = event.time_range.end - event.time_range.start if on_gpu else event.self_cpu_time_total
        before, count = found.get(event.name, (0.0, 0))
        found[event.name] = (before + took / 1000, count + 1)
    return sorted(found.items(), key=lambda item: -item[1][0])


def _by_kind(top: list[tuple[str, tuple[float, int]]]) -> dict[str, float]:
    """Milliseconds of each of KINDS."""
    kinds: dict[str, float] = {}
    for name, (took, _) in top:
        kind = next((kind for kind, words in KINDS if re.search(words, name, re.IGNORECASE)), "else")
        kinds[kind] = round(kinds.get(kind, 0.0) + took, 2)
    return kinds


def _busy(spans: list[tuple[float, float]]) -> float:
    """Length of the union of time spans."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def variants(bench: Bench, figures: Figures) -> None:
    loaded = load(bench, figures)
    clip = bench.clip(steps=3)
    state = begin(loaded, clip, bench.photo())
    two = replace(clip, guidance=replace(clip.guidance, two_passes=True))
    latent = clip.width * clip.height // loaded.vae_factor**2 * clip.plan.frames
    channels = loaded.unet.config.block_out_channels[0]
    pieces = patches.chunked(-(-2 * latent * channels // PIECES))
    half = patches.chunked(-(-latent * channels // PIECES))
    only = patches.attention_order
    rows: list[tuple[str, tuple[Patch, ...], SamplingParams]] = [
        ("as it is", (), clip),
        ("two passes", (), two),
        ("chunked", (pieces,), clip),
        ("two passes, chunked", (half,), two),
        ("channels last", (patches.channels_last,), clip),
        ("fp16 sums", (patches.fp16_sums,), clip),
        ("cuDNN search", (patches.cudnn_search,), clip),
        ("flash attention only", (partial(only, backends=[SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]),), clip),
        (
            "efficient attention only",
            (partial(only, backends=[SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]),),
            clip,
        ),
        ("as it is, again", (), clip),
        ("cuDNN attention first", (patches.attention_order,), clip),
    ]
    first: torch.Tensor | None = None
    for name, used, settings in rows:
        with figures.part(name) as part, patches.together(loaded.unet, used):
            reset_peak()
            latents, steps = sample(loaded, settings, state)
            part.update(steps, **peaks())
            first = latents if first is None else first
            part["against as it is"] = difference(latents, first)
        free()
    with figures.part("without shortcuts") as part:
        loaded = without_shortcuts(bench)
        reset_peak()
        latents, steps = sample(loaded, clip, state)
        part.update(steps, **peaks())
        part["against as it is"] = difference(latents, first if first is not None else latents)


def fast(bench: Bench, figures: Figures) -> None:
    loaded = load(bench, figures)
    state = begin(loaded, bench.clip(), bench.photo())
    with figures.part("without guidance") as part:
        _, steps = sample(loaded, bench.clip(steps=4, guidance=Guidance(1.0, 1.0)), state)
        part.update(steps)
    cached = bench.clip(steps=8, effort=Effort(full_every=2))
    latents: torch.Tensor | None = None
    with figures.part("deep features every second step") as part:
        latents, steps = sample(loaded, cached, state)
        each = steps["steps_s"]
        part.update(steps, **peaks(), whole_step_s=min(each[2::2]), cached_step_s=min(each[3], each[5]))
        part["against exact"] = difference(latents, sample(loaded, bench.clip(steps=8), state)[0])
    with figures.part("resume") as part, tempfile.TemporaryDirectory(dir=bench.work) as kept:
        assert latents is not None
        part.update(resumed(loaded, cached, state, latents, Path(kept)))
    totals: dict[str, float] = {}
    for mode, clip in modes(bench).items():
        with figures.part(mode) as part:
            reset_peak()
            found, steps = sample(loaded, clip, state)
            totals[mode] = part["total_s"] = round(sum(steps["steps_s"]), 2)
            part.update(peaks(), steps=clip.steps, finite=bool(torch.isfinite(found).all()))
        free()
    figures.put(share_of_best={mode: round(total / totals["best"], 3) for mode, total in totals.items()})
    del loaded
    for offload in (Offload.GROUP, Offload.SEQUENTIAL):
        free()
        with figures.part(f"deep features, {offload} offload") as part:
            assert latents is not None
            moved = ModelCache().get(bench.folder, placement=bench.placement(offload))
            assert isinstance(moved, LoadedModel)
            found, steps = sample(moved, cached, state)
            part.update(steps, **peaks(), **difference(found, latents))


def modes(bench: Bench) -> dict[str, SamplingParams]:
    """A window in each mode, in the steps of the best quality, with guidance."""
    sampling = bench.folder.preset.sampling.model_copy(update={"steps": bench.steps if bench.tiny else FULL_STEPS})
    preset = bench.folder.preset.model_copy(update={"sampling": sampling, "modes": None})
    found = {mode: sampled_steps(VideoRequest(mode=mode), preset) for mode in MODES}
    return {mode: bench.clip(one.steps, schedule=one.schedule, effort=one.effort) for mode, one in found.items()}
