"""Plan memory: choose device, dtype, offload and sizes before the model is loaded. Without torch.

The forecasts (`families.forecast`) are cautious. Plans and speeds measured on this machine (`history.PlanHistory`)
take precedence.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...messages import Message, joined, msg
from ..families import family
from ..families.base import SIZE, Geometry, MemoryPlan, ModelSize, Offload, Savings, Work
from ..families.forecast import STAGES, forecast, peak
from ..hardware.machine import Machine
from ..hardware.units import GIB
from ..progress import Stage

OFFLOAD_BELOW = 15.5 * GIB
"""Bytes of VRAM in all. GPUs sold with 16 GB report a little less; smaller ones offload from the start."""
TWO_PASSES_BELOW = 23.5 * GIB
"""Bytes of VRAM in all. A smaller GPU runs the guidance branches one after the other: 10 % slower, 4 GiB less."""
CPU_WIDTH, CPU_HEIGHT, CPU_WINDOW = 448, 256, 14
"""Largest sampling size and window of a full-size model on a CPU: 20 s a step on two cores in bf16."""

SHRINK = 0.7
"""Area of a sampling size as a share of the next larger one."""

LATENTS = ("width", "height", "window")
"""The fields of a plan that decide the latents' shape. Without guidance one may go on from guided ones."""

LIGHTER = 0.85
"""Forecast of the plan after a kill, as a share of the one before, at most."""


def plan(machine: Machine, model: ModelSize, work: Work, dtype: str = "") -> MemoryPlan:
    """Return the first plan, from the best one down, whose forecast fits; else the last one, whose `fits` is False.

    Args:
        machine: The machine to plan for.
        model: The model's size.
        work: The job.
        dtype: On a GPU; "" = the family's own, `float32` for a GPU that gives NaN in 16-bit numbers.
    """
    best = _best(machine, model, work, dtype)
    while not (found := forecast(best)).fits:
        if found.ram > found.ram_limit and (turned := _in_turn(best)):
            best = turned
            continue
        below = next((cheaper for stage in found.over if (cheaper := next_fallback(best, stage))), None)
        if not found.over:
            below = next_fallback(best, Stage.LOADING, ram=True)
        if below is None or (below.device == "cpu" and best.device != "cpu" and not forecast(_on_cpu(best, None)).fits):
            # If the CPU has too little memory as well, stay on the GPU: fallbacks remain after an OOM.
            return best
        best = below if below.device == best.device else plan(replace(machine, device="cpu"), model, work)
    return best


def next_fallback(now: MemoryPlan, at: Stage | None = None, ram: bool = False) -> MemoryPlan | None:
    """Return the next cheaper plan, or None if there is none.

    The order on a GPU: two-pass guidance, forward chunking, smaller decode chunks, model, group and sequential offload,
    a smaller sampling size, CPU. On a CPU: bf16, then smaller sizes.

    Args:
        now: The plan whose memory ran out.
        at: Stage in which it ran out. Fallbacks that do not help there are skipped: guidance does not affect decoding,
            and finished latents are not sampled again in a smaller size.
        ram: RAM ran out, not the GPU's memory. Weights are then moved only if that leaves less of them in RAM.
    """
    if ram and (spared := _less_ram(now)) is not None:
        return spared
    at = Stage.DECODING if at is Stage.SAVING else at  # the last decoded frames wait there for the encoder
    for step, helps in _GPU_STEPS if now.device != "cpu" else _CPU_STEPS:
        if at is None or at in helps:
            below = step(now, at)
            if below is not None and not (ram and _spares_no_ram(now, below)):
                return below
    return None


def after_oom_kill(now: MemoryPlan, at: Stage) -> MemoryPlan | None:
    """Return the next plan after the system killed the process at stage `at`, or None if there is none.

    A kill does not tell how much memory was missing, and costs a whole start. So plans are skipped until the stage's
    forecast is clearly smaller, or down to the last one. What ran out is RAM, even if a GPU computes.
    """
    if now.device != "cpu":
        return next_fallback(now, at, ram=True)
    at = Stage.DECODING if at is Stage.SAVING else at
    found = None
    while (below := next_fallback(found or now, at)) is not None:
        found = below
        if peak(found, at) <= LIGHTER * peak(now, at):
            break
    return found


def fit_to_checkpoint(fresh: MemoryPlan, size: Mapping[str, Any]) -> MemoryPlan:
    """Adapt today's plan to the size (`SIZE`) of a checkpoint, with other fallbacks if that does not fit."""
    now = replace(fresh, **{name: size[name] for name in SIZE})
    while not (found := forecast(now)).fits:
        below = next_fallback(now, (found.over or [Stage.LOADING])[0], ram=not found.over)
        if below is None or not same_latents(now, below):
            break
        now = below
    return now


def describe_change(before: MemoryPlan, after: MemoryPlan) -> Message:
    """Describe a plan change for the log: `model offload instead of all on the GPU`."""
    parts: list[Message] = []
    if before.placement != after.placement:
        parts.append(msg("{now} instead of {before}", now=after.placement, before=before.placement))
    if before.dtype != after.dtype:
        parts.append(msg("{now} instead of {before}", now=after.dtype, before=before.dtype))
    if (before.width, before.height) != (after.width, after.height):
        size, old = f"{after.width}×{after.height}", f"{before.width}×{before.height}"
        parts.append(msg("generating at {now} instead of {before}", now=size, before=old))
    if before.window != after.window:
        parts.append(msg("{now} frames at once instead of {before}", now=after.window, before=before.window))
    if before.guided and not after.guided:
        parts.append(msg("without guidance"))
    if after.two_pass and not before.two_pass:
        parts.append(msg("guidance in two passes"))
    if after.chunked and not before.chunked:
        parts.append(msg("forward chunking"))
    if before.compiled and not after.compiled:
        parts.append(msg("not compiled"))
    if before.decode_chunk != after.decode_chunk:
        chunks = {"now": after.decode_chunk, "before": before.decode_chunk}
        parts.append(msg("decoding {now} frames at once instead of {before}", **chunks))
    return joined(parts)


def same_latents(before: MemoryPlan, after: MemoryPlan) -> bool:
    """Tell whether a checkpoint of one plan can be resumed under the other: its latents have the same shape."""
    return all(getattr(before, name) == getattr(after, name) for name in LATENTS)


# ------------------------------------------------------------------------------------------- the best plan


def _best(machine: Machine, model: ModelSize, work: Work, dtype: str = "") -> MemoryPlan:
    # Of windows that are longer than the video no more is decoded than is shown, or lies between shown frames.
    can, wanted = family(model.family).savings, work.frames if _geometry(model).overlap else work.decoded
    best = MemoryPlan(
        machine,
        model,
        work,
        device="cuda",
        dtype=dtype or family(model.family).half_dtype,
        offload=Offload.NONE,
        width=work.width,
        height=work.height,
        window=model.frames,
        guided=work.guided,
        two_pass=False,
        chunked=False,
        decode_chunk=can.most_chunk or min(model.frames, wanted),
    )
    if machine.device == "cpu":
        return _on_cpu(best, Stage.LOADING)
    if model.large and machine.vram_total < TWO_PASSES_BELOW:
        best = replace(best, two_pass=work.guided and can.two_pass)
    offloading = replace(best, offload=Offload.MODEL)
    small = model.large and machine.vram_total < OFFLOAD_BELOW and Offload.MODEL in can.offloads
    if small and _ram(offloading) <= machine.ram_free:
        return offloading
    return best


def _on_cpu(now: MemoryPlan, at: Stage | None) -> MemoryPlan:
    """Plan for a CPU: a full-size model is sampled small and, if its family allows that, without guidance.

    Sampled latents are kept.
    """
    dtype = "bfloat16" if now.machine.cpu_bf16 and now.model.large else "float32"
    now = replace(now, device="cpu", dtype=dtype, offload=Offload.NONE)
    if not now.model.large or at is Stage.DECODING:
        return now
    now = replace(now, guided=now.guided and not _savings(now).unguided, two_pass=False)
    if at is Stage.SAMPLING:
        return now
    width, height = _within(now, CPU_WIDTH * CPU_HEIGHT)
    # Windows of any length cost as much as the frames they hold; those of one length must be short.
    window = now.window if _geometry(now.model).overlap else min(now.window, CPU_WINDOW)
    return replace(now, width=width, height=height, window=window, decode_chunk=min(now.decode_chunk, window))


# ------------------------------------------------------------------------------------------------ the fallbacks


def _geometry(model: ModelSize) -> Geometry:
    return family(model.family).geometry


def _savings(now: MemoryPlan) -> Savings:
    return family(now.model.family).savings


def _two_pass(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    able = now.guided and not now.two_pass and _savings(now).two_pass
    return replace(now, two_pass=True) if able else None


def _chunked(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    found = replace(now, chunked=True)
    helps = _savings(now).chunked and _sampling(found) < _sampling(now)
    return found if helps else None  # a small frame is one piece


def _sampling(now: MemoryPlan) -> int:
    """Estimate the sampling's bytes by formula, so that a measured plan and an unmeasured one compare."""
    return family(now.model.family).cost.peak(now, Stage.SAMPLING)


def _decode_less(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    least, found = _savings(now).least_chunk, now
    while found.decode_chunk > least and _savings(now).decode_chunks:
        found = replace(found, decode_chunk=max(least, -(-found.decode_chunk // 2)))
        if _decoder(found) < _decoder(now):
            return found
    return None


def _decoder(now: MemoryPlan) -> int:
    """Estimate the decoder's bytes without an upscaler, whose tiles adapt to the free memory."""
    bare = replace(now, work=replace(now.work, upscaler=None))
    return family(now.model.family).cost.peak(bare, Stage.DECODING)


def _offload(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    order = list(Offload)
    below = [one for one in order[order.index(now.offload) + 1 :] if one in _savings(now).offloads]
    if at in (Stage.CONDITIONING, Stage.DECODING):
        below = [one for one in below if one is Offload.MODEL]  # the others' hooks are the denoiser's alone
    # Layer by layer blocks are not computed in pieces (`flow/cost.py`): for a large frame that takes more.
    below = [one for one in below if _sampling(replace(now, offload=one)) <= _sampling(now)]
    if not below:
        return None
    found = replace(now, offload=below[0])  # page-locked weights take more RAM
    return (_in_turn(found) or found) if _ram(found) > now.machine.ram_free else found


def _ram(now: MemoryPlan) -> int:
    return forecast(now).ram


def _spares_no_ram(now: MemoryPlan, below: MemoryPlan) -> bool:
    """Tell whether a plan is no help when RAM ran out: tiles are also assembled to a whole video in RAM."""
    moved, spared = below.placement != now.placement, _ram(now) - _ram(below)
    return spared < 0 or (moved and spared == 0)


def _less_ram(now: MemoryPlan) -> MemoryPlan | None:
    """Read two denoisers in turn, or keep weights on the GPU instead of in RAM if they all fit."""
    if now.device == "cpu":
        return None
    if turned := _in_turn(now):
        return turned
    found = replace(now, offload=Offload.NONE)
    while _ram(found) < _ram(now) and (over := forecast(found).over):
        below = next_fallback(found, over[0])
        if below is None:
            return None
        found = below
    return found if _ram(found) < _ram(now) else None


def _in_turn(now: MemoryPlan) -> MemoryPlan | None:
    """Keep one of two denoisers in RAM at a time, if the model has two."""
    found = replace(now, in_turn=True)
    return found if _ram(found) < _ram(now) else None


def _sample_less(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    floor = min(CPU_WIDTH * CPU_HEIGHT, now.model.width * now.model.height // 2)
    area = now.width * now.height
    if area <= floor:
        return None
    width, height = _within(now, max(floor, int(area * SHRINK)))
    found = replace(now, width=width, height=height)
    # Below some size the image encoder, which has a fixed size, decides the peak of conditioning.
    helps = at is not Stage.CONDITIONING or peak(found, at) < peak(now, at)
    return found if width * height < area and helps else None


def _to_cpu(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    return _on_cpu(now, at)


def _half_numbers(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    """Use bf16 on a CPU without native bf16 if the slowdown is bearable: half the memory."""
    able = now.machine.cpu_bf16 or now.machine.cpu_half
    return replace(now, dtype="bfloat16") if able and now.dtype == "float32" else None


_ALL = frozenset(STAGES)
_GPU_STEPS = (
    (_two_pass, frozenset({Stage.SAMPLING})),
    (_chunked, frozenset({Stage.SAMPLING})),
    (_decode_less, frozenset({Stage.DECODING})),
    (_offload, _ALL),
    (_sample_less, frozenset({Stage.CONDITIONING, Stage.SAMPLING})),
    (_to_cpu, _ALL),
)
_CPU_STEPS = (
    (_two_pass, frozenset({Stage.SAMPLING})),
    (_chunked, frozenset({Stage.SAMPLING})),
    (_decode_less, frozenset({Stage.DECODING})),
    (_half_numbers, _ALL),
    (_sample_less, frozenset({Stage.CONDITIONING, Stage.SAMPLING})),
)


def _within(now: MemoryPlan, area: int) -> tuple[int, int]:
    """Return the plan's aspect ratio in at most `area` pixels, with sides that the family can sample."""
    width, height, grid = now.width, now.height, _geometry(now.model).multiple
    if width * height <= area:
        return width, height
    scale = math.sqrt(area / (width * height))
    w, h = (max(grid, round(side * scale / grid) * grid) for side in (width, height))
    while w * h > area and max(w, h) > grid:
        # The side whose reduction keeps the shape better.
        if h == grid or w * height >= h * width:
            w -= grid
        else:
            h -= grid
    return w, h
