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
    """A model's parameters by component and its shape.

    Attributes:
        family: Name of the family whose cost model counts.
        unet: Parameters of the denoiser, whatever its kind.
        vae: Parameters of the VAE.
        channels: Of the denoiser's first level, which has the largest picture.
        vae_channels: Of the VAE's first level.
        factor: Pixels to one latent pixel, along each side.
        width: Native size, pixels.
        height: Native size, pixels.
        frames: Of one window.
        attention: Sum of the channels of all blocks with attention within frames, each divided by 16 for every halving
            of the picture's sides.
        image_encoder: Parameters of the image encoder; 0 = there is none.
        text_encoder: Parameters of the text encoder, which is in memory before the others only; 0 = there is none.
        patch_decoder: Parameters of a decoder that takes the place of the VAE's (svd/decoding/patch_decoder.py), which
            `vae` counts too; 0 = there is none.
        name: Of the model, as its measurements are kept by it.
        int8: The denoiser's weights are kept in 8-bit numbers.
        packed_numbers: Of the denoiser's parameters those that stay quantised as a file of weights has them.
        packed_bytes: What these take.
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
    """What one job asks for, as far as it decides memory and time.

    Attributes:
        width: Wished sampling size, pixels.
        height: Wished sampling size, pixels.
        frames: To sample in all.
        steps: Denoising steps.
        guided: With both branches of the guidance.
        shown_frames: Frames of the finished video.
        shown_pixels: Pixels of each of them.
        loop: See `windows.plan_windows`.
        detail: The frames get the photo's own detail.
        upscaler: Enlarges the frames where the photo has no detail to give; None = plain enlargement.
        upscaler_name: As its measurements are kept by it.
        schedule: Spacing of the noise levels.
        effort: Which steps compute less than everything.
        ends: The video ends with a picture that is known: the photo, of a loop, or one of its own.
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
    upscaler: Network | None = None
    upscaler_name: str = ""
    schedule: str = "karras"
    effort: Effort = EVERYTHING
    ends: bool = False

    @property
    def decoded(self) -> int:
        """Frames that are wanted of the decoder: between two shown frames one more is needed behind the last."""
        return self.frames + (self.shown_frames > self.frames)


@dataclass(frozen=True)
class MemoryPlan:
    """How one job is computed. `cost.forecast` says what it takes, `next_fallback` gives the next cheaper plan.

    Attributes:
        machine: The machine it was made for.
        model: The model's size.
        work: What the job asks for.
        device: `cuda` or `cpu`.
        dtype: `float16`, `bfloat16` or `float32`.
        offload: Where the weights wait.
        width: Sampling size, pixels (the output size never changes).
        height: Sampling size, pixels.
        window: Frames sampled at once.
        guided: With classifier-free guidance.
        two_pass: The guidance branches one after the other.
        chunked: Forward chunking in the denoiser.
        decode_chunk: Frames decoded together.
        in_turn: Of two denoisers only the one whose turn it is waits in RAM; the other one is read from the disk again.
        compiled: The repeated blocks are compiled for the device: other numbers, within rounding, in less time. Settled
            before a job's first step.
        compiling: Seconds that the compiler takes before the first step.
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
        """Name where the weights are, for people."""
        if self.device == "cpu":
            return msg("CPU")
        where = _PLACEMENTS[self.offload]
        return msg("{placement}, each transformer read when its turn comes", placement=where) if self.in_turn else where

    @property
    def decoder_dtype(self) -> str:
        """The VAE decoder's numbers: bf16 on a CPU that multiplies it, where they take a third of the time.

        Not so a patch decoder's: its linear part needs finer steps, and it is quick as it is.
        """
        narrow = self.device == "cpu" and self.machine.cpu_bf16 and not self.model.patch_decoder
        return "bfloat16" if narrow else self.dtype

    @property
    def settings(self) -> dict[str, Any]:
        """The fields that `next_fallback` changes, for storing and for the job's record."""
        return {name: getattr(self, name) for name in STORED}

    @property
    def note(self) -> dict[str, Any]:
        """The `settings` with the device's name and whether it computes compiled, for a checkpoint."""
        return self.settings | {NAME_OF_DEVICE: self.device_name, COMPILED: self.compiled}

    @property
    def device_name(self) -> str:
        """Name of the GPU that computes, or `CPU`."""
        return "CPU" if self.device == "cpu" else self.machine.name

    @property
    def shrunk(self) -> bool:
        """Whether frames are sampled smaller than the settings wish, or without the guidance that they wish."""
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
    """The memory and time of a plan, measured or estimated.

    Attributes:
        device: `cuda` or `cpu`.
        peaks: Bytes on the computing device (VRAM, or RAM on a CPU) at each stage's highest point.
        ram: Bytes of the machine's memory.
        limit: Bytes that may be taken on the computing device.
        ram_limit: Bytes that may be taken of the machine's memory.
        total: Bytes that the computing device has.
        stage_seconds: Seconds of each stage. Loading takes none where a worker keeps the model loaded.
        measured: The stages whose seconds come from measurements on this machine, of this kind of job or of others.
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
        """Bytes on the computing device at the highest point of all stages."""
        return max(self.peaks.values())

    @property
    def fits(self) -> bool:
        """Whether the plan stays within both limits."""
        return self.need <= self.limit and self.ram <= self.ram_limit

    @property
    def over(self) -> list[Stage]:
        """The stages whose peak is above the limit, in their order."""
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
        """Return the side in pixels of the upscaler's largest tile for which the decoder leaves room."""
        ...

    def step_weights(self, now: MemoryPlan) -> Sequence[float]:
        """Return the time of each step of a window, as a share of a full step's. Called only where an effort is set."""
        ...
