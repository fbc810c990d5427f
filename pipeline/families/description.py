"""Describe a family: its components, geometry, ways to save memory; and a model of it on the disk. Without torch."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ...presets import ModelPreset
from ..windows import WindowOptions, WindowPlan, plan_even_windows, plan_windows
from .plan import Offload


class Role(StrEnum):
    """What a component does."""

    TEXT = "text"
    IMAGE = "image"
    VAE = "vae"
    DENOISER = "denoiser"


@dataclass(frozen=True)
class Component:
    """A part of a model with weights of its own.

    Attributes:
        name: Of the component, and of its folder.
        role: What it does.
    """

    name: str
    role: Role


@dataclass(frozen=True)
class Geometry:
    """The sizes that a family can sample, and how many latent frames a stretch of video takes.

    Attributes:
        multiple: Both sides of a sampled frame are a multiple of this, in pixels.
        stride: Frames of the video to one latent frame. The first latent frame stands for one frame alone.
        overlap: Latent frames that two windows share, in a family that draws windows of any length up to the preset's;
            0 = windows always have the preset's length, and share what is left.
        guidance_cap: Largest guidance in later windows, see `WindowOptions`; None = no cap.
    """

    multiple: int
    stride: int = 1
    overlap: int = 0
    guidance_cap: float | None = WindowOptions.guidance_cap

    def latents(self, frames: int) -> int:
        """Return the latent frames that hold at least so many frames."""
        return 1 + -(-(frames - 1) // self.stride)

    def windows(
        self, frames: int, window: int, min_overlap: float = WindowOptions.min_overlap, loop: int = 0
    ) -> WindowPlan:
        """Plan the windows of a video, in latent frames.

        Args:
            frames: Of the whole video, as sampled.
            window: Frames that are sampled at once, at most.
            min_overlap: See `WindowOptions`.
            loop: See `plan_windows`.
        """
        total, most = self.latents(frames), self.latents(window)
        return (
            plan_even_windows(total, most, self.overlap)
            if self.overlap
            else plan_windows(total, most, min_overlap, loop)
        )


@dataclass(frozen=True)
class Savings:
    """Ways in which a family's models can compute with less memory; the planner uses no others.

    Attributes:
        two_pass: The guidance's branches can be computed one after the other.
        chunked: Wide layers or blocks can be computed in pieces.
        decode_chunks: Fewer frames can be decoded together.
        most_chunk: Most frames decoded together; 0 = a window's.
        least_chunk: Fewest frames decoded together.
        offloads: Where weights may wait, in the order of `Offload`.
        unguided: On a CPU, guidance can be left out: half of the time, and hardly other pictures.
    """

    two_pass: bool = False
    chunked: bool = False
    decode_chunks: bool = False
    most_chunk: int = 0
    least_chunk: int = 1
    offloads: tuple[Offload, ...] = ()
    unguided: bool = False


@dataclass(frozen=True)
class LoraFile:
    """A file of small changes to a network's weights.

    Attributes:
        path: The file.
        fingerprint: Of its content.
    """

    path: Path
    fingerprint: str


@dataclass(frozen=True)
class Lora:
    """Small changes to a model's weights, which are added as it is loaded.

    Attributes:
        name: By which it was chosen.
        files: One for all of the model's denoisers, or one for each of them, in the order of `Family.components`.
        strength: 1 is as it was trained.
    """

    name: str
    files: tuple[LoraFile, ...]
    strength: float

    @property
    def fingerprint(self) -> str:
        """Of the files' content."""
        return "+".join(file.fingerprint for file in self.files)

    def file(self, denoiser: int) -> LoraFile:
        """Return what is added to a denoiser, counted from 0."""
        return self.files[denoiser if len(self.files) > 1 else 0]


@dataclass(frozen=True)
class ModelFolder:
    """A model as it lies on the disk.

    Attributes:
        preset: How it is best sampled; for a plain folder made from its own configuration.
        folder: In diffusers' format.
        random: The untrained stand-in for `mini`, built by code on first use.
        loras: What is added to its weights, in this order.
        int8: Its denoiser's weights are kept in 8-bit numbers (`weights.int8`).
    """

    preset: ModelPreset
    folder: Path
    random: bool = False
    loras: tuple[Lora, ...] = ()
    int8: bool = False

    @property
    def name(self) -> str:
        """Name of the preset, or of the plain folder."""
        return self.preset.name

    @property
    def measured_as(self) -> str:
        """Name by which its measurements are kept: with 8-bit weights it is another model."""
        return f"{self.name} int8" if self.int8 else self.name

    @property
    def loaded_as(self) -> str:
        """Name by which a worker tells that it keeps the model loaded: with other LoRAs it is loaded again."""
        return loaded_name(self.measured_as, [(lora.name, lora.strength) for lora in self.loras])


def loaded_name(measured_as: str, loras: Iterable[tuple[str, float]]) -> str:
    """Return `ModelFolder.loaded_as`. loras: name and strength of each, in their order."""
    return " + ".join([measured_as, *(f"{name}:{strength:g}" for name, strength in loras)])


@dataclass(frozen=True)
class ModelFiles:
    """What `Family.check` found in a folder.

    Attributes:
        variants: For each component with weights, the file variants present (`""`, `"fp16"`).
        fingerprint: Changes when other weights or another configuration lie in the folder.
    """

    variants: dict[str, tuple[str, ...]]
    fingerprint: str
