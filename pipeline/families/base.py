"""Define what a model family must offer: `Family`, `VideoModel`, `Denoiser`. No torch at import.

What describes a family (description.py), its noise levels (noise_schedule.py), and planning with its `CostModel`
(plan.py) are a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .description import Component as Component
from .description import Geometry as Geometry
from .description import Lora as Lora
from .description import LoraFile as LoraFile
from .description import ModelFiles as ModelFiles
from .description import ModelFolder as ModelFolder
from .description import Role as Role
from .description import Savings as Savings
from .noise_schedule import NoiseSchedule as NoiseSchedule
from .plan import SIZE as SIZE
from .plan import CostModel as CostModel
from .plan import Forecast as Forecast
from .plan import MemoryPlan as MemoryPlan
from .plan import ModelSize as ModelSize
from .plan import Offload as Offload
from .plan import Work as Work
from .steps.effort import EVERYTHING, Effort

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from PIL.Image import Image
    from torch import Tensor

    from ...presets import Mode, ModelPreset
    from ...presets.options import MotionName, ScheduleName, SolverName
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
    """Compute D(x; σ), the denoised estimate of one window (k-diffusion's convention).

    A sampler knows nothing else of a network. Latents are (1, latent frames, channels, h, w), scaled; h and w are
    in latent pixels.
    """

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the denoised estimate of x, float32, of the shape of x.

        Args:
            x: The window's noisy latents.
            sigma: Their noise level, a tensor with one number.
        """
        ...

    def noised(self, x0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """Add noise to clean latents, as a window of this model holds them at a noise level.

        Args:
            x0: The clean latents.
            noise: Unit noise of the same shape.
            sigma: The noise level, more than 0, a tensor with one number.
        """
        ...

    def slope(self, x: Tensor, denoised: Tensor, sigma: Tensor) -> Tensor:
        """Return dx/dσ, of the shape of x. A network whose output is that slope may return its output.

        denoised: D(x; σ), which was computed last.
        """
        return (x - denoised) / sigma  # EDM eq. 3 with s(t) = 1; with flow matching ε - x₀


@dataclass(frozen=True)
class Window:
    """Describe the frames that a model samples together, for its denoiser.

    A video longer than a model's window is sampled in several windows, which overlap. Latents are scaled; h and w are
    in latent pixels.

    Attributes:
        schedule: The noise levels of the run.
        guidance: Guidance scale of each frame.
        start: Latents of the window's first frame, (1, channels, h, w), which the earlier window sampled. None: the
            window starts from the photo.
        noise_aug: Strength of the noise added to `start`, 0..1. None: the strength in the request's options.
        draw: Returns the next unit noise of the window's generator: takes a shape, gives the model's dtype and device.
        effort: Which steps compute without guidance, or only a part of the network.
        pinned: Number of latent frames at the start that the earlier window has sampled and this one must not change.
        last: Whether this window ends the video.
        before: Latents of all earlier windows, (1, latent frames, channels, h, w). None in the first window.
        frames: Number of latent frames in the window.
        spare: Number of latent frames at its end that lie beyond the end of the video and are not shown.
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
    """Define a loaded model: what sampling, decoding and previews call.

    Latents are (1, latent frames, channels, h, w) with h and w in latent pixels. "Scaled" latents are those that
    sampling works on: the VAE's output, shifted and multiplied as the model was trained.
    """

    @property
    def device(self) -> torch.device:
        """The device that computes; offloaded weights come to it when they are needed."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the denoiser computes in."""
        ...

    @property
    def latent_dtype(self) -> torch.dtype:
        """The dtype of the latents between two steps."""
        ...

    def encode(
        self, photo: Image, options: FamilyOptions, generator: torch.Generator, last: Image | None = None
    ) -> Mapping[str, Tensor]:
        """Encode the photo into named tensors: the conditioning of every window. Checkpoints store them.

        Args:
            photo: RGB, of the sampling size.
            options: The family's part of the request.
            generator: The first window's, for an encoder that draws noise.
            last: The picture that the video ends with, like `photo`; None without one.
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
        """Draw a window's unit noise, (1, latent frames, channels, h, w).

        The numbers are drawn in the order of diffusers' pipeline, so that a seed gives the same noise.

        Args:
            frames: Number of latent frames.
            width: Sampling size, pixels.
            height: Sampling size, pixels.
            draw: As in `Window`.
        """
        ...

    def beginning(self, conditioning: Mapping[str, Tensor]) -> Tensor | None:
        """Return the first window's first latents, (1, n, channels, h, w), scaled, if they are known before sampling.

        conditioning: what `encode` returned. None if all latent frames of the window are sampled.
        """
        ...

    def denoiser(self, conditioning: Mapping[str, Tensor], options: FamilyOptions, window: Window) -> Denoiser:
        """Make the denoiser of one window. conditioning: what `encode` returned."""
        ...

    @property
    def model(self) -> ModelFolder:
        """The folder that the model was read from."""
        ...

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the folder's files (`ModelFiles.fingerprint`)."""
        ...

    @property
    def arithmetic(self) -> int:
        """Version of the network's numerics; 0 = diffusers' own results, bit for bit.

        A part of checkpoints' keys: a job resumes only from latents of the same version.
        """
        ...

    @property
    def placement(self) -> Placement:
        """Device, dtype and offload with which it was loaded."""
        ...

    compiled: CompiledBlocks | None
    """The compiled blocks; None while the model is not compiled."""

    @property
    def whole(self) -> bool:
        """Whether every component is in one place and of the right dtype; False after an interrupted move."""
        ...

    def bring(self, part: str) -> Any:
        """Move a component to the device that computes, and return it. part: its name, as in `Family.components`."""
        ...

    def prepare(self, plan: MemoryPlan) -> None:
        """Apply the plan's settings that can change between two jobs without loading again, e.g. `chunked`."""
        ...

    def preview_latents(self, conditioning: Mapping[str, Tensor]) -> Tensor:
        """Return the photo's latents, (1, channels, h, w), scaled. conditioning: what `encode` returned."""
        ...

    def decode(self, latents: Tensor, chunk: int, seed: int = 0) -> Iterator[np.ndarray]:
        """Decode latents, and yield the video's frames in order as RGB arrays (n, height, width, 3), uint8.

        Args:
            latents: (1, latent frames, channels, h, w), scaled.
            chunk: Largest number of frames to decode together, 1 or more.
            seed: The video's, for a decoder that draws noise.
        """
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
    def schedules(self) -> Mapping[ScheduleName, tuple[SolverName, ...]]:
        """How its models can be sampled: the spacings of the noise levels, each with the solvers that can follow it."""
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
        """Return whether a folder without a preset looks like one of this family's models."""
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
