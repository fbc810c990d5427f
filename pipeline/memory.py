"""What fits: decides before loading how a job is computed on this machine, and what to try next after OOM. No torch.

The estimates (`estimate.py`) err on the safe side; what a machine really did is remembered (`oom.PlanMemory`) and goes
before any of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .estimate import GIB, Offload, duration_text, peak, piece, ram, seconds
from .progress import Stage

OFFLOAD_BELOW = 15.5 * GIB
"""Total VRAM. Cards sold with 16 GB report a little less; everything smaller offloads by itself."""
TWO_PASSES_BELOW = 23.5 * GIB
"""Total VRAM. A smaller card draws with the guidance branches one after the other: 10 % slower, but with 4 GiB less."""
LARGE = 500_000_000
"""UNet parameters from which a model counts as full size: smaller ones need no offload and no special care on a CPU."""

CPU_WIDTH, CPU_HEIGHT, CPU_WINDOW = 448, 256, 14
"""Largest sampling size and window of a full-size model on a CPU: 20 s a step on two cores in bf16."""

SHRINK = 0.7
"""Pixel area of a sampling size over that of the next larger one."""

LIGHTER = 0.85
"""Estimate after a kill over the one before it."""

SIZE = ("width", "height", "window", "guided")
"""The fields of a plan that decide how the latents look; the others only how they are computed."""


@dataclass(frozen=True)
class Machine:
    """What counts for planning; bytes. device: `cuda` (also ROCm) when torch can use a GPU here, else `cpu`.

    vram_free, ram_free: what this process may still take, its own warm model counted as free.
    gpu_speed, cpu_speed: 10¹² operations a second that the model really reaches (2-byte numbers where the device
    computes in them). cpu_bf16: the CPU multiplies bf16 numbers itself. cpu_half: it gets along with them (AVX-512); on
    others they take fifty times as long as 32-bit ones, which helps nobody.
    reserve: VRAM left to the system (a screen, a browser).
    """

    device: str = "cpu"
    name: str = ""
    vram_total: int = 0
    vram_free: int = 0
    ram_total: int = 8 * GIB
    ram_free: int = 6 * GIB
    cpu_bf16: bool = False
    cpu_half: bool = False
    cores: int = 2
    gpu_speed: float = 0.0
    cpu_speed: float = 0.16
    reserve: int = 4 * GIB // 10


@dataclass(frozen=True)
class ModelSize:
    """A model's parameters by component and its shape. channels, vae_channels: of the first, widest-picture level.

    attention: sum of the channels of all blocks with attention within frames, each divided by 16 for every halving of
    the picture's sides; 0 = as in the full-size model.
    """

    unet: int = 1_524_623_082
    vae: int = 97_742_847
    image_encoder: int = 632_076_800
    channels: int = 320
    vae_channels: int = 128
    factor: int = 8
    width: int = 1024
    height: int = 576
    frames: int = 25
    attention: float = 0.0

    @property
    def attended(self) -> float:
        """`attention`, or what a model of these channels has in SVD's blocks: 5, 5, 5 and 1 of four levels."""
        return self.attention or self.channels * (5 + 5 * 2 / 16 + 5 * 4 / 256 + 4 / 4096)

    @property
    def large(self) -> bool:
        return self.unet >= LARGE


@dataclass(frozen=True)
class Work:
    """One job. width, height: wished sampling size, pixels. frames: to sample in all; guided: with two branches.

    shown_frames, shown_pixels: of the finished video, per frame. loop: see `windows.plan_windows`.
    detail: the frames get the photo's own detail.
    """

    width: int
    height: int
    frames: int
    steps: int
    guided: bool
    shown_frames: int = 0
    shown_pixels: int = 0
    loop: int = 0
    detail: bool = False


@dataclass(frozen=True)
class MemoryPlan:
    """How one job is computed. Frozen; `smaller` gives the next one down.

    device: `cuda` or `cpu`. dtype: `float16`, `bfloat16` or `float32`. width, height: sampling size in pixels (the
    output size never changes). window: frames drawn at once. two_pass: the guidance branches one after the other.
    chunked: forward chunking in the UNet. decode_chunk: frames decoded together.
    """

    machine: Machine = field(repr=False)
    model: ModelSize = field(repr=False)
    work: Work = field(repr=False)
    device: str
    dtype: str
    offload: Offload
    width: int
    height: int
    window: int
    guided: bool
    two_pass: bool
    chunked: bool
    decode_chunk: int

    @property
    def placement(self) -> str:
        if self.device == "cpu":
            return "CPU"
        return "all on the GPU" if self.offload is Offload.NONE else f"{self.offload} offload"

    @property
    def settings(self) -> dict[str, Any]:
        """The fields that `smaller` changes, for storing and for the job's record."""
        return {name: getattr(self, name) for name in _STORED}

    def peak(self, stage: Stage) -> int:
        """Bytes on the computing device at the stage's highest point (VRAM, or RAM on a CPU)."""
        return peak(self, stage)

    @property
    def piece(self) -> int | None:
        """Numbers that a feed-forward layer takes at once, None without forward chunking."""
        return piece(self) if self.chunked else None

    @property
    def need(self) -> int:
        """Bytes of VRAM, or of RAM on a CPU, at the highest point of all."""
        return max(self.peak(stage) for stage in _STAGES)

    @property
    def ram(self) -> int:
        """Bytes of RAM."""
        if self.device == "cpu":
            return self.need
        return ram(self)

    @property
    def limit(self) -> int:
        """Bytes that may be taken on the computing device."""
        if self.device == "cpu":
            return self.machine.ram_free
        return max(0, self.machine.vram_free - self.machine.reserve)

    @property
    def fits(self) -> bool:
        return self.need <= self.limit and self.ram <= self.machine.ram_free

    @property
    def shrunk(self) -> bool:
        """The picture is sampled smaller, or without guidance, than the settings wish."""
        wished = (self.work.width, self.work.height, self.work.guided)
        return (self.width, self.height, self.guided) != wished

    @property
    def seconds(self) -> float:
        """Estimated computing time of the whole job with the model not loaded yet."""
        return sum(self.stage_seconds.values())

    @property
    def stage_seconds(self) -> dict[Stage, float]:
        return seconds(self)

    @property
    def summary(self) -> str:
        """`about 3 min, 9.8 GB of 12 GB`, for the form."""
        total = self.machine.ram_total if self.device == "cpu" else self.machine.vram_total
        memory = f"{self.need / GIB:.1f} GB of {round(total / GIB)} GB"
        return f"about {duration_text(self.seconds)}, {memory}" + (" on the CPU" if self.device == "cpu" else "")


_STAGES = (Stage.LOADING, Stage.CONDITIONING, Stage.SAMPLING, Stage.DECODING)
_STORED = (
    "device",
    "dtype",
    "offload",
    "width",
    "height",
    "window",
    "guided",
    "two_pass",
    "chunked",
    "decode_chunk",
)


def plan(machine: Machine, model: ModelSize, work: Work, dtype: str = "float16") -> MemoryPlan:
    """The first rung, from the best one down, whose estimate fits; the last one when none does (`fits` says so).

    dtype: on a GPU: `float32` for one that gives NaN in 16-bit numbers.
    """
    best = _best(machine, model, work, dtype)
    while not best.fits:
        over = [stage for stage in _STAGES if best.peak(stage) > best.limit] or [Stage.LOADING]
        below = next((rung for stage in over if (rung := smaller(best, stage))), None)
        if below is None or (below.device == "cpu" and best.device != "cpu" and not _on_cpu(best, None).fits):
            # A GPU that is a little tight beats a CPU that has no room either: the ladder is still there.
            return best
        best = below if below.device == best.device else plan(replace(machine, device="cpu"), model, work)
    return best


def smaller(now: MemoryPlan, at: Stage | None = None, ram: bool = False) -> MemoryPlan | None:
    """The next rung down after OOM, or None when there is none left.

    The order: two-pass guidance, forward chunking, smaller decode chunks, model, group and sequential offload, smaller
    sampling size, CPU (there: bf16, then smaller sizes). at: the stage that ran out, so that rungs which cannot help
    it are passed over: guidance has no part in decoding, and finished latents are not sampled again, smaller.
    ram: the machine's memory ran out, not the GPU's: weights are put elsewhere only where less of them waits there.
    """
    if ram and (spared := _less_ram(now)) is not None:
        return spared
    at = Stage.DECODING if at is Stage.SAVING else at  # the last decoded frames wait there for the encoder
    rungs = _GPU_RUNGS if now.device != "cpu" else _CPU_RUNGS
    for rung, helps in rungs:
        if at is None or at in helps:
            below = rung(now, at)
            if below is not None and not (ram and below.placement != now.placement and below.ram >= now.ram):
                return below
    return None


def lighter(now: MemoryPlan, at: Stage) -> MemoryPlan | None:
    """The rung after the system killed the process at `at`, or None when there is none.

    A kill does not tell how much was missing, and costs a whole start: down until the stage's estimate is clearly less,
    or to the last rung. It was about RAM, also where a GPU computes.
    """
    if now.device != "cpu":
        return smaller(now, at, ram=True)
    at = Stage.DECODING if at is Stage.SAVING else at
    found = None
    while (below := smaller(found or now, at)) is not None:
        found = below
        if found.peak(at) <= LIGHTER * now.peak(at):
            break
    return found


def continued(fresh: MemoryPlan, size: Mapping[str, Any]) -> MemoryPlan:
    """Today's plan at the size (`SIZE`) that a checkpoint has, with what else saves memory where that does not fit."""
    now = replace(fresh, **{name: size[name] for name in SIZE})
    while not now.fits:
        over = next((stage for stage in _STAGES if now.peak(stage) > now.limit), Stage.LOADING)
        below = smaller(now, over)
        if below is None or not resumable(now, below):
            break
        now = below
    return now


def change(before: MemoryPlan, after: MemoryPlan) -> str:
    """What a step down changes, in words for the log: `model offload instead of all on the GPU`."""
    parts = []
    if before.placement != after.placement:
        parts.append(f"{after.placement} instead of {before.placement}")
    if before.dtype != after.dtype:
        parts.append(f"{after.dtype} instead of {before.dtype}")
    if (before.width, before.height) != (after.width, after.height):
        parts.append(f"sampling at {after.width}×{after.height} instead of {before.width}×{before.height}")
    if before.window != after.window:
        parts.append(f"{after.window} frames at once instead of {before.window}")
    if before.guided and not after.guided:
        parts.append("without guidance")
    if after.two_pass and not before.two_pass:
        parts.append("guidance in two passes")
    if after.chunked and not before.chunked:
        parts.append("forward chunking")
    if before.decode_chunk != after.decode_chunk:
        parts.append(f"decoding {after.decode_chunk} frames at once instead of {before.decode_chunk}")
    return ", ".join(parts)


def resumable(before: MemoryPlan, after: MemoryPlan) -> bool:
    """A checkpoint made under one plan can be gone on with under the other: the latents have the same shape."""
    return (before.width, before.height, before.window) == (after.width, after.height, after.window)


# ------------------------------------------------------------------------------------------- the first rung


def _best(machine: Machine, model: ModelSize, work: Work, dtype: str = "float16") -> MemoryPlan:
    best = MemoryPlan(
        machine,
        model,
        work,
        device="cuda",
        dtype=dtype,
        offload=Offload.NONE,
        width=work.width,
        height=work.height,
        window=model.frames,
        guided=work.guided,
        two_pass=False,
        chunked=False,
        decode_chunk=model.frames,
    )
    if machine.device == "cpu":
        return _on_cpu(best, Stage.LOADING)
    if model.large and machine.vram_total < TWO_PASSES_BELOW:
        best = replace(best, two_pass=work.guided)
    offloading = replace(best, offload=Offload.MODEL)
    if model.large and machine.vram_total < OFFLOAD_BELOW and offloading.ram <= machine.ram_free:
        return offloading
    return best


def _on_cpu(now: MemoryPlan, at: Stage | None) -> MemoryPlan:
    """A full-size model computes small and without guidance there; what has been sampled already is kept as it is."""
    dtype = "bfloat16" if now.machine.cpu_bf16 and now.model.large else "float32"
    now = replace(now, device="cpu", dtype=dtype, offload=Offload.NONE)
    if not now.model.large or at is Stage.DECODING:
        return now
    now = replace(now, guided=False, two_pass=False)
    if at is Stage.SAMPLING:
        return now
    width, height = _within(now.width, now.height, CPU_WIDTH * CPU_HEIGHT)
    window = min(now.window, CPU_WINDOW)
    return replace(now, width=width, height=height, window=window, decode_chunk=min(now.decode_chunk, window))


# ------------------------------------------------------------------------------------------------ the rungs


def _two_pass(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    return replace(now, two_pass=True) if now.guided and not now.two_pass else None


def _chunked(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    return None if now.chunked else replace(now, chunked=True)


def _decode_less(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    return replace(now, decode_chunk=-(-now.decode_chunk // 2)) if now.decode_chunk > 1 else None


def _offload(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    order = list(Offload)
    below = order[order.index(now.offload) + 1 :]
    if at in (Stage.CONDITIONING, Stage.DECODING):
        below = below[: below.index(Offload.GROUP)] if Offload.GROUP in below else []  # only the denoiser has hooks
    return replace(now, offload=below[0]) if below else None


def _less_ram(now: MemoryPlan) -> MemoryPlan | None:
    """Weights that wait in RAM for their turn on the card go to it at once, if it has room for them all."""
    if now.device == "cpu":
        return None
    found = replace(now, offload=Offload.NONE)
    while found.ram < now.ram and found.need > found.limit:
        over = next(stage for stage in _STAGES if found.peak(stage) > found.limit)
        below = smaller(found, over)
        if below is None:
            return None
        found = below
    return found if found.ram < now.ram else None


def _sample_less(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    floor = min(CPU_WIDTH * CPU_HEIGHT, now.model.width * now.model.height // 2)
    area = now.width * now.height
    if area <= floor:
        return None
    width, height = _within(now.width, now.height, max(floor, int(area * SHRINK)))
    found = replace(now, width=width, height=height)
    # Below some size the image encoder is what is highest while the photo is read, and that has a size of its own.
    helps = at is not Stage.CONDITIONING or found.peak(at) < now.peak(at)
    return found if width * height < area and helps else None


def _to_cpu(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    return _on_cpu(now, at)


def _half_numbers(now: MemoryPlan, at: Stage | None) -> MemoryPlan | None:
    """bf16 also where the CPU has no instruction for it, if it can bear it: slower, half the memory."""
    able = now.machine.cpu_bf16 or now.machine.cpu_half
    return replace(now, dtype="bfloat16") if able and now.dtype == "float32" else None


_ALL = frozenset(_STAGES)
_GPU_RUNGS = (
    (_two_pass, frozenset({Stage.SAMPLING})),
    (_chunked, frozenset({Stage.SAMPLING})),
    (_decode_less, frozenset({Stage.DECODING})),
    (_offload, _ALL),
    (_sample_less, frozenset({Stage.CONDITIONING, Stage.SAMPLING})),
    (_to_cpu, _ALL),
)
_CPU_RUNGS = (
    (_two_pass, frozenset({Stage.SAMPLING})),
    (_chunked, frozenset({Stage.SAMPLING})),
    (_decode_less, frozenset({Stage.DECODING})),
    (_half_numbers, _ALL),
    (_sample_less, frozenset({Stage.CONDITIONING, Stage.SAMPLING})),
)


def _within(width: int, height: int, area: int) -> tuple[int, int]:
    """The same shape in at most `area` pixels, sides in multiples of 8."""
    if width * height <= area:
        return width, height
    scale = math.sqrt(area / (width * height))
    w, h = max(8, round(width * scale / 8) * 8), max(8, round(height * scale / 8) * 8)
    while w * h > area and max(w, h) > 8:
        # The side whose reduction keeps the shape better.
        if h == 8 or w * height >= h * width:
            w -= 8
        else:
            h -= 8
    return w, h
