"""Describe a family (components, geometry, ways to save memory) and its models on the disk. Without torch."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ...presets import ModelPreset
from ..windows import WindowOptions, WindowPlan, plan_even_windows, plan_windows
from .plan import Offload


class Role(StrEnum):
    """The function of a component."""

    TEXT = "text"
    IMAGE = "image"
    VAE = "vae"
    DENOISER = "denoiser"


@dataclass(frozen=True)
class Component:
    """A part of a model with its own weights.

    Attributes:
        name: Name of the component and of its folder.
        role: Its function.
    """

    name: str
    role: Role


@dataclass(frozen=True)
class Geometry:
    """The sizes that a family can sample, and how frames map to latent frames.

    Attributes:
        multiple: Sides of a sampled frame are multiples of this number of pixels.
        stride: Frames per latent frame. The first latent frame holds one frame.
        overlap: Latent frames that two windows share, for a family that samples any length up to the preset's; 0 =
            windows always have the preset's length, and share the rest.
        guidance_cap: Largest guidance in later windows (`WindowOptions.guidance_cap`); None = no cap.
    """

    multiple: int
    stride: int = 1
    overlap: int = 0
    guidance_cap: float | None = WindowOptions.guidance_cap

    def latents(self, frames: int) -> int:
        """Return the number of latent frames that hold at least `frames` frames."""
        return 1 + -(-(frames - 1) // self.stride)

    def windows(
        self, frames: int, window: int, min_overlap: float = WindowOptions.min_overlap, period: int = 0
    ) -> WindowPlan:
        """Plan the windows of a video, in latent frames.

        Args:
            frames: Sampled frames of the whole video.
            window: Largest number of frames sampled together.
            min_overlap: See `WindowOptions`.
            period: See `plan_windows`.
        """
        total, most = self.latents(frames), self.latents(window)
        return (
            plan_even_windows(total, most, self.overlap)
            if self.overlap
            else plan_windows(total, most, min_overlap, period)
        )


@dataclass(frozen=True)
class Savings:
    """Ways in which a family's models can save memory; the planner uses no others.

    Attributes:
        two_pass: The guidance branches can be computed one after the other.
        chunked: Wide layers or blocks can be computed in chunks of tokens.
        decode_chunks: Fewer frames can be decoded together.
        most_chunk: Largest number of frames decoded together; 0 = a window's.
        least_chunk: Smallest number of frames decoded together.
        offloads: Supported offloads, in the order of `Offload`.
        unguided: On a CPU, guidance can be omitted: half the time, and almost the same frames.
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
    """A LoRA file.

    Attributes:
        path: The file.
        fingerprint: Hash of its content.
    """

    path: Path
    fingerprint: str


@dataclass(frozen=True)
class Lora:
    """A LoRA that is added to a model's weights when it is loaded.

    Attributes:
        name: Name by which the user chose it.
        files: One file for all of the model's denoisers, or one for each, in the order of `Family.components`.
        strength: 1 = as trained.
    """

    name: str
    files: tuple[LoraFile, ...]
    strength: float

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the files' content."""
        return "+".join(file.fingerprint for file in self.files)

    def file(self, denoiser: int) -> LoraFile:
        """Return the file for a denoiser, counted from 0."""
        return self.files[denoiser if len(self.files) > 1 else 0]


@dataclass(frozen=True)
class ModelFolder:
    """A model on the disk.

    Attributes:
        preset: Its preset; for a plain folder made from its own configuration.
        folder: In diffusers' format.
        random: It is the untrained stand-in for `mini`, which is built on first use.
        loras: LoRAs to add to its weights, in this order.
        int8: Keep the denoiser's weights in 8-bit integers (`weights.int8`).
    """

    preset: ModelPreset
    folder: Path
    random: bool = False
    loras: tuple[Lora, ...] = ()
    int8: bool = False

    @property
    def name(self) -> str:
        """Name of the preset or of the plain folder."""
        return self.preset.name

    @property
    def measured_as(self) -> str:
        """Name under which measurements are stored; with 8-bit weights it is another one."""
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
    """Result of `Family.check`.

    Attributes:
        variants: For each component with weights, the file variants present (`""`, `"fp16"`).
        fingerprint: Changes with the weights or the configuration in the folder.
    """

    variants: dict[str, tuple[str, ...]]
    fingerprint: str
