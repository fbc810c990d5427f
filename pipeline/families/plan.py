"""Define planning: a model's size, a job's work, the plan for it, its forecast and a cost model. Without torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from ...messages import Message, msg
from ..hardware.machine import Machine
from ..media.upscale.network import Network
from ..progress import Stage
from .steps.effort import EVERYTHING, Effort

LARGE = 500_000_000
"""UNet parameters from which a model counts as full size: smaller ones need no offload and no special care on a CPU."""

PIECE = 2**25
"""Numbers (tokens × width) of a transformer's block that are computed at once, where blocks are computed in pieces."""

SIZE = ("width", "height", "window", "guided")
"""The fields of a plan that decide how the latents look; the others only how they are computed."""

NAME_OF_DEVICE, COMPILED = "device_name", "compiled"
"""Keys in a checkpoint's note; those of earlier versions have none."""

STORED = (
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
    "in_turn",
)
"""The fields of a plan that are stored: those that a step down changes."""


class Offload(StrEnum):
    """Where the weights wait while they are not needed. Values are stored: never rename one."""

    NONE = "none"  # all on the device
    MODEL = "model"  # one component at a time
    GROUP = "group"  # one block at a time
    SEQUENTIAL = "sequential"  # one layer at a time


@dataclass(frozen=True)
class ModelSize:
    """Parameters and shape of a model.

    Attributes:
        family: Name of the family, whose cost model applies.
        unet: Parameters of the denoiser, whatever its kind.
        vae: Parameters of the VAE.
        channels: Channels of the denoiser's first level, which has the highest resolution.
        vae_channels: Channels of the VAE's first level.
        factor: Pixels per latent pixel, along each side.
        width: Native size, pixels.
        height: Native size, pixels.
        frames: Frames of one window.
        attention: Sum of the channels of all blocks with attention within frames, each divided by 16 for every halving
            of the sides.
        image_encoder: Parameters of the image encoder; 0 = there is none.
        text_encoder: Parameters of the text encoder, which is released before the others are loaded; 0 = there is none.
        patch_decoder: Parameters of a decoder that replaces the VAE's (svd/decoding/patch_decoder.py) and is included
            in `vae`; 0 = there is none.
        name: Name under which measurements are stored.
        int8: The denoiser's weights are kept in 8-bit integers.
        packed_numbers: Parameters of the denoiser that stay quantised as in a file of weights.
        packed_bytes: Their bytes.
    """

    family: str
    unet: int
    vae: int
    channels: int
    vae_channels: int
    factor: int
    width: int
    height: int
    frames: int
    attention: float
    image_encoder: int = 0
    text_encoder: int = 0
    patch_decoder: int = 0
    name: str = ""
    int8: bool = False
    packed_numbers: int = 0
    packed_bytes: int = 0

    @property
    def large(self) -> bool:
        """Whether the denoiser has the parameters of a full-size model, see `LARGE`."""
        return self.unet >= LARGE


@dataclass(frozen=True)
class Work:
    """What one job requires, as far as it affects memory and time.

    Attributes:
        width: Requested sampling size, pixels.
        height: Requested sampling size, pixels.
        frames: Number of frames to sample.
        steps: Denoising steps.
        guided: With both guidance branches.
        shown_frames: Frames of the finished video.
        shown_pixels: Pixels of each of them.
        period: See `windows.plan_windows`.
        detail: The frames get the photo's own detail.
        upscaler: Enlarges frames where the photo has no detail; None = plain enlargement.
        upscaler_name: Name under which its measurements are stored.
        schedule: Spacing of the noise levels.
        effort: Which steps are computed only in part.
        ends: The video ends with a known picture: the photo of a loop, or a given one.
    """

    width: int
    height: int
    frames: int
    steps: int
    guided: bool
    shown_frames: int = 0
    shown_pixels: int = 0
    period: int = 0
    detail: bool = False
    upscaler: Network | None = None
    upscaler_name: str = ""
    schedule: str = "karras"
    effort: Effort = EVERYTHING
    ends: bool = False

    @property
    def decoded(self) -> int:
        """Number of frames to decode. Interpolation needs one frame more than the sampled ones."""
        return self.frames + (self.shown_frames > self.frames)


@dataclass(frozen=True)
class MemoryPlan:
    """How one job is computed. `forecast` estimates its cost, `next_fallback` returns the next cheaper plan.

    Attributes:
        machine: The machine that it was made for.
        model: The model's size.
        work: What the job requires.
        device: `cuda` or `cpu`.
        dtype: `float16`, `bfloat16` or `float32`.
        offload: Where the weights wait.
        width: Sampling size, pixels (the output size never changes).
        height: Sampling size, pixels.
        window: Frames sampled at once.
        guided: With classifier-free guidance.
        two_pass: Compute the guidance branches one after the other.
        chunked: Compute the denoiser's layers in chunks of tokens.
        decode_chunk: Frames decoded together.
        in_turn: Keep only one of two denoisers in RAM, and read the other one from the disk when it is needed.
        compiled: Compile the repeated blocks: faster, with results equal within rounding. Decided before the first
            step.
        compiling: Seconds of compiling before the first step.
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
    in_turn: bool = False
    compiled: bool = False
    compiling: float = 0.0

    @property
    def placement(self) -> Message:
        """Describe for people where the weights are."""
        if self.device == "cpu":
            return msg("CPU")
        where = _PLACEMENTS[self.offload]
        return msg("{placement}, each transformer read when its turn comes", placement=where) if self.in_turn else where

    @property
    def decoder_dtype(self) -> str:
        """Dtype of the VAE's decoder: bf16 on a CPU with native bf16, where it takes a third of the time.

        A patch decoder stays in fp32: its linear part needs the precision, and it is fast anyway.
        """
        narrow = self.device == "cpu" and self.machine.cpu_bf16 and not self.model.patch_decoder
        return "bfloat16" if narrow else self.dtype

    @property
    def settings(self) -> dict[str, Any]:
        """The fields that `next_fallback` changes, for storing and for the job's record."""
        return {name: getattr(self, name) for name in STORED}

    @property
    def note(self) -> dict[str, Any]:
        """The `settings` with the device's name and `compiled`, for a checkpoint."""
        return self.settings | {NAME_OF_DEVICE: self.device_name, COMPILED: self.compiled}

    @property
    def device_name(self) -> str:
        """Name of the GPU that computes, or `CPU`."""
        return "CPU" if self.device == "cpu" else self.machine.name

    @property
    def shrunk(self) -> bool:
        """Whether frames are sampled smaller than requested, or without the requested guidance."""
        wished = (self.work.width, self.work.height, self.work.guided)
        return (self.width, self.height, self.guided) != wished


_PLACEMENTS = {
    Offload.NONE: msg("all on the GPU"),
    Offload.MODEL: msg("model offload"),
    Offload.GROUP: msg("group offload"),
    Offload.SEQUENTIAL: msg("sequential offload"),
}


@dataclass(frozen=True)
class Forecast:
    """Memory and time of a plan, measured or estimated.

    Attributes:
        device: `cuda` or `cpu`.
        peaks: Peak bytes of each stage on the computing device (VRAM, or RAM on a CPU).
        ram: Bytes of RAM.
        limit: Bytes that may be used on the computing device.
        ram_limit: Bytes of RAM that may be used.
        total: Bytes of the computing device.
        stage_seconds: Seconds of each stage. Loading takes none if a worker keeps the model loaded.
        measured: Stages whose seconds are based on this machine's measurements, of this kind of job or of others.
    """

    device: str
    peaks: Mapping[Stage, int]
    ram: int
    limit: int
    ram_limit: int
    total: int
    stage_seconds: Mapping[Stage, float]
    measured: frozenset[Stage] = frozenset()

    @property
    def need(self) -> int:
        """Peak bytes of all stages on the computing device."""
        return max(self.peaks.values())

    @property
    def fits(self) -> bool:
        """Whether the plan stays within both limits."""
        return self.need <= self.limit and self.ram <= self.ram_limit

    @property
    def over(self) -> list[Stage]:
        """Stages whose peak exceeds the limit, in order."""
        return [stage for stage, peak in self.peaks.items() if peak > self.limit]

    @property
    def seconds(self) -> float:
        """Seconds of computing for the whole job."""
        return sum(self.stage_seconds.values())


class CostModel(Protocol):
    """Estimate the bytes and seconds of each stage of a family's plan, on the plan's machine."""

    def forecast(self, now: MemoryPlan) -> Forecast:
        """Return the bytes and seconds of all stages, with the limits that the bytes must keep."""
        ...

    def peak(self, now: MemoryPlan, stage: Stage) -> int:
        """Return the bytes on the computing device at the stage's highest point."""
        ...

    def tile_side(self, now: MemoryPlan) -> int:
        """Return the side in pixels of the upscaler's largest tile that fits beside the decoder."""
        ...

    def step_weights(self, now: MemoryPlan) -> Sequence[float]:
        """Return the time of each step of a window, as a share of a full step. Called only if an effort is set."""
        ...
