"""Define what a model family must offer: `Family`, `VideoModel`, `Denoiser`, `CostModel`. No torch at import.

What describes a family (description.py) and the records of planning (plan.py) are a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .description import Component as Component
from .description import Geometry as Geometry
from .description import Lora as Lora
from .description import LoraFile as LoraFile
from .description import ModelFiles as ModelFiles
from .description import ModelFolder as ModelFolder
from .description import Role as Role
from .description import Savings as Savings
from .effort import EVERYTHING, Effort
from .plan import SIZE as SIZE
from .plan import Forecast as Forecast
from .plan import MemoryPlan as MemoryPlan
from .plan import ModelSize as ModelSize
from .plan import Offload as Offload
from .plan import Work as Work

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from PIL.Image import Image
    from torch import Tensor

    from ...presets import Mode, ModelPreset
    from ...presets.options import MotionName, ScheduleName
    from ..progress import Stage
    from ..request import VideoRequest
    from .guidance import Guidance
    from .placement import Placement
    from .weights.compiling import CompiledBlocks
    from .words import Words


@dataclass(frozen=True)
class FamilyOptions:
    """A family's own part of a request, settled. Base of frozen dataclasses; their fields enter checkpoints' keys."""

    def metadata(self) -> dict[str, Any]:
        """Return what the video file says about them, by the request's names."""
        return {}


class Denoiser(Protocol):
    """D(x; σ) of one window, as k-diffusion has it: all that a sampler needs to know of a network."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the denoised estimate, float32, of x (1, frames, channels, h, w) at noise level σ (a number)."""
        ...

    def noised(self, x0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """Return clean latents as a window holds them at noise level σ > 0. noise: unit noise of their shape."""
        ...

    def slope(self, x: Tensor, denoised: Tensor, sigma: Tensor) -> Tensor:
        """Return dx/dσ at x, of which D was just computed. A network whose output is the slope may give that itself."""
        return (x - denoised) / sigma  # EDM eq. 3 with s(t) = 1; with flow matching ε - x₀


@dataclass(frozen=True)
class NoiseSchedule:
    """The noise levels of a sampling run.

    Attributes:
        sigmas: (steps + 1), float32 on the CPU, falling to 0.
        timesteps: (steps), what the network is told at each level.
        init_sigma: Unit noise times this is what sampling starts from.
        solver: The step from one level to the next (`presets.schema.Sampling.solver`).
    """

    sigmas: Tensor
    timesteps: Tensor
    init_sigma: Tensor
    solver: Literal["euler", "unipc", "lcm"] = "euler"

    @property
    def steps(self) -> int:
        """Return the number of denoising steps."""
        return len(self.timesteps)


@dataclass(frozen=True)
class Window:
    """What a denoiser is made for: one stretch of frames that the model samples at once.

    Attributes:
        schedule: The levels that the denoiser will be asked for.
        guidance: Over the window's frames.
        start: (1, channels, h, w), latents of the earlier window's frame that this one starts from; None = the photo.
        pinned: Latent frames at the window's beginning that are known and stay as they are.
        last: It ends the video; `spare` of its `frames` latent frames lie behind that end, and are not shown.
        before: (1, n, channels, h, w), the latents of all earlier windows; None in the first.
        noise_aug: Noise added to `start`, 0..1; None = as much as the request's options say.
        draw: Returns unit noise of a shape, of the model's type and on its device: the next of the window's generator.
        effort: Which steps compute less than everything.
    """

    schedule: NoiseSchedule
    guidance: Guidance
    start: Tensor | None
    noise_aug: float | None
    draw: Callable[[Sequence[int]], Tensor]
    effort: Effort = EVERYTHING
    pinned: int = 0
    last: bool = True
    before: Tensor | None = None
    frames: int = 0
    spare: int = 0


class VideoModel(Protocol):
    """A loaded model: all that sampling, decoding and previews need of it."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """In which numbers."""
        ...

    @property
    def latent_dtype(self) -> torch.dtype:
        """In which numbers the latents are kept between two steps."""
        ...

    def encode(
        self, photo: Image, options: FamilyOptions, generator: torch.Generator, last: Image | None = None
    ) -> Mapping[str, Tensor]:
        """Return what the model sees of the pictures (RGB, of the sampling size), as tensors that checkpoints keep.

        generator: the first window's. last: the picture that the video ends with, for a family that takes it.
        """
        ...

    def schedule(self, steps: int, kind: ScheduleName, frames: int, width: int, height: int) -> NoiseSchedule:
        """Return the noise levels of a run.

        Args:
            steps: 1..100.
            kind: Their spacing.
            frames: Latent frames of a window, for levels that depend on its size.
            width: Pixels sampled, likewise.
            height: Pixels sampled, likewise.
        """
        ...

    def noise(self, frames: int, width: int, height: int, draw: Callable[[Sequence[int]], Tensor]) -> Tensor:
        """Draw a window's unit noise, (1, frames, channels, h, w), in the order of the stock pipeline.

        Args:
            frames: Latent frames of the window.
            width: Pixels sampled.
            height: Pixels sampled.
            draw: As in `Window`.
        """
        ...

    def beginning(self, conditioning: Mapping[str, Tensor]) -> Tensor | None:
        """Return the latents with which the first window is known to begin, (1, n, channels, h, w), scaled, or None."""
        ...

    def denoiser(self, conditioning: Mapping[str, Tensor], options: FamilyOptions, window: Window) -> Denoiser:
        """Return D(x; σ) of one window. conditioning: what `encode` gave."""
        ...

    @property
    def model(self) -> ModelFolder:
        """The folder it was read from."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of the folder's files (`ModelFiles`)."""
        ...

    @property
    def arithmetic(self) -> int:
        """Which numbers the network gives, as a part of checkpoints' keys; 0 = diffusers' own."""
        ...

    @property
    def placement(self) -> Placement:
        """Where and how it computes."""
        ...

    compiled: CompiledBlocks | None
    """Its blocks as they were compiled for the device; None while they are not."""

    @property
    def whole(self) -> bool:
        """No component lies half here, half there, or in other numbers than it should."""
        ...

    def bring(self, part: str) -> Any:
        """Return a component, moved to where it computes."""
        ...

    def prepare(self, plan: MemoryPlan) -> None:
        """Compute as the plan says, in what loading did not settle."""
        ...

    def preview_latents(self, conditioning: Mapping[str, Tensor]) -> Tensor:
        """Return the photo's own latents, (1, channels, h, w), scaled as those that are sampled."""
        ...

    def decode(self, latents: Tensor, chunk: int, seed: int = 0) -> Iterator[np.ndarray]:
        """Yield frames as (n, height, width, 3) uint8, in order.

        Args:
            latents: (1, latent frames, channels, h, w), scaled.
            chunk: The most frames decoded together.
            seed: Of the video, for a decoder that needs noise.
        """
        ...


class CostModel(Protocol):
    """What a plan of this family takes on its machine: bytes and seconds of each stage."""

    def forecast(self, now: MemoryPlan) -> Forecast:
        """Return everything at once."""
        ...

    def peak(self, now: MemoryPlan, stage: Stage) -> int:
        """Return the bytes on the computing device at the stage's highest point."""
        ...

    def tile_side(self, now: MemoryPlan) -> int:
        """Return the side in pixels of the upscaler's largest tile for which the decoder leaves room."""
        ...

    def step_weights(self, now: MemoryPlan) -> Sequence[float]:
        """Return what each step of a window takes, as a share of one in full. Asked only where an effort is set."""
        ...


class Family(Protocol):
    """One kind of model. Importing it imports no torch; `load` does."""

    @property
    def name(self) -> str:
        """Name of the family's folder, and value of `family` in its presets."""
        ...

    @property
    def components(self) -> tuple[Component, ...]:
        """The components in the order in which they are loaded."""
        ...

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of the settings that only some families take (`presets.options.Option.own`), and this one does."""
        ...

    @property
    def motions(self) -> Mapping[MotionName, int]:
        """`motion_bucket_id` of less and of more motion than the preset's own, by name; empty without that setting."""
        ...

    @property
    def modes(self) -> Mapping[str, Mode]:
        """Quicker ways to sample that its models offer where their presets name none, by name (`families.modes`)."""
        ...

    @property
    def blocks(self) -> Mapping[str, tuple[str, ...]]:
        """What can be compiled: for each network (path within `VideoModel`) the classes of its repeated blocks."""
        ...

    @property
    def geometry(self) -> Geometry:
        """The sizes that it can sample."""
        ...

    @property
    def numbers(self) -> str:
        """The 16-bit numbers that its weights compute in on a GPU: `float16` or `bfloat16`."""
        ...

    @property
    def cost(self) -> CostModel:
        """Bytes and seconds of a plan."""
        ...

    @property
    def savings(self) -> Savings:
        """How its models can compute with less memory."""
        ...

    def recognises(self, folder: Path) -> bool:
        """Whether a folder without a preset looks like one of this family's models."""
        ...

    def folder_preset(self, folder: Path) -> ModelPreset:
        """Make a preset for a plain folder from its configuration.

        Raises:
            ModelError: The configuration cannot be read, or has a wrong value.
        """
        ...

    def check(self, folder: Path, preset: ModelPreset | None) -> ModelFiles:
        """Check that a folder holds a whole model of this family.

        Args:
            folder: In diffusers' format.
            preset: The preset that names the folder, for the remedy in the error; None for a plain folder.

        Raises:
            ModelError: Something is missing or wrong; the text says what, and what to do.
        """
        ...

    def check_loras(self, model: ModelFolder) -> None:
        """Check that a model's `loras` can be added to it. Asked only where the family takes some (`takes`).

        Raises:
            ModelError: A file is damaged, or made for another model.
        """
        ...

    def size(self, folder: Path, preset: ModelPreset) -> ModelSize:
        """Measure a folder; what is not there counts as full size."""
        ...

    def random_model(self, preset: ModelPreset, folder: Path) -> ModelFolder:
        """Return the untrained stand-in for a preset, which `load` builds in `folder`."""
        ...

    def options(self, request: VideoRequest, preset: ModelPreset, fps: int) -> FamilyOptions:
        """Settle the family's own part of a request: what it leaves open is as the preset says. fps: as sampled."""
        ...

    def words_key(self, model: ModelFolder, options: FamilyOptions) -> str:
        """Return what the request's prompt is stored under once it is encoded; "" = the family reads no prompt."""
        ...

    def encode_words(self, model: ModelFolder, options: FamilyOptions, placement: Placement) -> Words:
        """Load the text encoder, encode the request's prompt, and let go of the encoder again.

        Called before `load`, with no other model in memory, and only for a family with a `words_key`.

        Raises:
            ModelError: A file of the encoder is missing or damaged.
        """
        ...

    def load(
        self, model: ModelFolder, placement: Placement, finished: Callable[[str], None], shortcuts: bool
    ) -> VideoModel:
        """Read the components. `finished` is called after the libraries and after each component, and may raise."""
        ...


LIBRARIES = "libraries"


def parts(family: Family) -> tuple[str, ...]:
    """Return what is loaded, in this order; the first is the import of the libraries themselves."""
    return (LIBRARIES, *(component.name for component in family.components))
