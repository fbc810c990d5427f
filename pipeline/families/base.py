"""Define the interface of a model family: `Family`, `VideoModel`, `Denoiser`. No torch at import.

The types that it uses are in description.py (components, geometry), noise_schedule.py (noise levels) and plan.py
(planning, with a family's `CostModel`).
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
    from .prompts import PromptEmbeds
    from .weights.compiling import CompiledBlocks


@dataclass(frozen=True)
class FamilyOptions:
    """A family's own part of a resolved request: a frozen dataclass, whose fields enter checkpoint keys."""

    def metadata(self) -> dict[str, Any]:
        """Return what the video file stores about them, by the request's names."""
        return {}


class Denoiser(Protocol):
    """Compute D(x; σ), the denoised estimate of one window (k-diffusion's convention).

    A sampler knows a network only by this interface. Latents are scaled, (1, latent frames, channels, h, w), with h and
    w in latent pixels.
    """

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the denoised estimate of x, float32, of the shape of x.

        Args:
            x: Noisy latents of the window.
            sigma: Their noise level, a tensor with one element.
        """
        ...

    def noised(self, x0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """Add noise to clean latents, as a window of this model contains them at a noise level.

        Args:
            x0: Clean latents.
            noise: Unit noise of the same shape.
            sigma: Noise level above 0, a tensor with one element.
        """
        ...

    def slope(self, x: Tensor, denoised: Tensor, sigma: Tensor) -> Tensor:
        """Return dx/dσ, of the shape of x. A network that predicts the slope may return its own output.

        Args:
            x: Noisy latents of the window.
            denoised: D(x; σ) of the last call.
            sigma: Their noise level, a tensor with one element.
        """
        return (x - denoised) / sigma  # EDM eq. 3 with s(t) = 1; with flow matching ε - x₀


@dataclass(frozen=True)
class Window:
    """Describe the frames that a model samples together, for its denoiser.

    A video longer than a model's window is sampled in several windows, which overlap. Latents are scaled; h and w are
    in latent pixels.

    Attributes:
        schedule: Noise levels.
        guidance: Guidance scale of each frame.
        start: Latents of the window's first frame, (1, channels, h, w), from the earlier window. None: the window
            starts from the photo.
        noise_aug: Strength of the noise added to `start`, 0..1. None: the strength in the request's options.
        draw: Returns the next unit noise of the window's generator for a shape, in the model's dtype and on its device.
        effort: Which steps omit guidance, or a part of the network.
        pinned: Number of latent frames at the start that the earlier window has sampled; this one must not change them.
        last: The video ends with this window.
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

    Latents are (1, latent frames, channels, h, w) with h and w in latent pixels. "Scaled" latents are those of the
    sampling: the VAE's output, shifted and scaled as in the model's training.
    """

    @property
    def device(self) -> torch.device:
        """Device that computes; offloaded weights are moved to it when they are needed."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the denoiser."""
        ...

    @property
    def latent_dtype(self) -> torch.dtype:
        """Dtype of the latents between two steps."""
        ...

    def encode(
        self, photo: Image, options: FamilyOptions, generator: torch.Generator, last: Image | None = None
    ) -> Mapping[str, Tensor]:
        """Encode the photo into named tensors, the conditioning of every window. Checkpoints store them.

        Args:
            photo: RGB, of the sampling size.
            options: The family's part of the request.
            generator: The first window's, for an encoder that draws noise.
            last: Picture that the video ends with, like `photo`; None = the model decides.
        """
        ...

    def schedule(self, steps: int, kind: ScheduleName, frames: int, width: int, height: int) -> NoiseSchedule:
        """Return the noise levels of a run.

        Args:
            steps: 1..100.
            kind: Spacing of the levels.
            frames: Latent frames of a window, for levels that depend on its size.
            width: Sampling size, pixels.
            height: Sampling size, pixels.
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
        """Return the window's first latents, (1, n, channels, h, w), scaled, if known before sampling; else None.

        Args:
            conditioning: Result of `encode`.
        """
        ...

    def denoiser(self, conditioning: Mapping[str, Tensor], options: FamilyOptions, window: Window) -> Denoiser:
        """Create the denoiser of one window.

        Args:
            conditioning: Result of `encode`.
            options: The family's part of the request.
            window: The window.
        """
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
        """Version of the network's numerics, a part of checkpoint keys; 0 = diffusers' own results, bit for bit."""
        ...

    @property
    def placement(self) -> Placement:
        """Device, dtype and offload that it was loaded with."""
        ...

    compiled: CompiledBlocks | None
    """The compiled blocks; None while the model is not compiled."""

    @property
    def whole(self) -> bool:
        """Whether each component is on one device and of the right dtype; False after an interrupted move."""
        ...

    def bring(self, part: str) -> Any:
        """Move a component to the computing device and return it. part: its name in `Family.components`."""
        ...

    def prepare(self, plan: MemoryPlan) -> None:
        """Apply the settings of a plan that can change between jobs without loading again, e.g. `chunked`."""
        ...

    def preview_latents(self, conditioning: Mapping[str, Tensor]) -> Tensor:
        """Return the photo's latents, (1, channels, h, w), scaled. conditioning: result of `encode`."""
        ...

    def decode(self, latents: Tensor, chunk: int, seed: int = 0) -> Iterator[np.ndarray]:
        """Decode latents, and yield the video's frames in order as RGB arrays (n, height, width, 3), uint8.

        Args:
            latents: (1, latent frames, channels, h, w), scaled.
            chunk: Largest number of frames to decode together, 1 or more.
            seed: The video's seed, for a decoder that draws noise.
        """
        ...


class Family(Protocol):
    """Define one kind of model. Importing a family imports no torch; `load` does."""

    @property
    def name(self) -> str:
        """Name of the family's folder, and value of `family` in its presets."""
        ...

    @property
    def components(self) -> tuple[Component, ...]:
        """The components, in the order of loading."""
        ...

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of the optional settings (`presets.options.Option.own`) that this family supports."""
        ...

    @property
    def motions(self) -> Mapping[MotionName, int]:
        """`motion_bucket_id` for less and more motion than the preset's own, by name; empty without that setting."""
        ...

    @property
    def modes(self) -> Mapping[str, Mode]:
        """Faster modes for models whose presets define none, by name (`families.modes`)."""
        ...

    @property
    def schedules(self) -> Mapping[ScheduleName, tuple[SolverName, ...]]:
        """How its models can be sampled: the spacings of the noise levels, each with the solvers that can follow it."""
        ...

    @property
    def blocks(self) -> Mapping[str, tuple[str, ...]]:
        """Classes of the repeated blocks that can be compiled, by network (path within `VideoModel`)."""
        ...

    @property
    def geometry(self) -> Geometry:
        """The sizes that it can sample."""
        ...

    @property
    def half_dtype(self) -> str:
        """Dtype of its weights on a GPU: `float16` or `bfloat16`."""
        ...

    @property
    def cost(self) -> CostModel:
        """Estimates bytes and seconds of a plan."""
        ...

    @property
    def savings(self) -> Savings:
        """How its models can compute with less memory."""
        ...

    def recognises(self, folder: Path) -> bool:
        """Tell whether a folder without a preset looks like one of this family's models."""
        ...

    def folder_preset(self, folder: Path) -> ModelPreset:
        """Make a preset for a plain folder from its configuration.

        Raises:
            ModelError: The configuration cannot be read, or has a wrong value.
        """
        ...

    def check(self, folder: Path, preset: ModelPreset | None) -> ModelFiles:
        """Check that a folder holds a complete model of this family.

        Args:
            folder: In diffusers' format.
            preset: The preset that names the folder, for the remedy in the error; None for a plain folder.

        Raises:
            ModelError: Something is missing or wrong; the text says what, and what to do.
        """
        ...

    def check_loras(self, model: ModelFolder) -> None:
        """Check that a model's `loras` can be added to it. Called only for families that support LoRAs (`takes`).

        Raises:
            ModelError: A file is damaged, or made for another model.
        """
        ...

    def size(self, folder: Path, preset: ModelPreset) -> ModelSize:
        """Measure a model's size from its folder; missing components count as full size."""
        ...

    def random_model(self, preset: ModelPreset, folder: Path) -> ModelFolder:
        """Return the untrained stand-in for a preset, which `load` builds in `folder`."""
        ...

    def options(self, request: VideoRequest, preset: ModelPreset, fps: int) -> FamilyOptions:
        """Resolve the family's own part of a request; the preset decides what the request leaves open.

        Args:
            request: The settings.
            preset: The model's preset.
            fps: Sampled frames per second.
        """
        ...

    def prompt_key(self, model: ModelFolder, options: FamilyOptions) -> str:
        """Return the cache key of the request's encoded prompt; "" = the family reads no prompt."""
        ...

    def encode_prompt(self, model: ModelFolder, options: FamilyOptions, placement: Placement) -> PromptEmbeds:
        """Load the text encoder, encode the request's prompt, and release the encoder.

        Called before `load`, with no other model in memory, and only for a family with a `prompt_key`.

        Raises:
            ModelError: A file of the encoder is missing or damaged.
        """
        ...

    def load(
        self, model: ModelFolder, placement: Placement, finished: Callable[[str], None], shortcuts: bool
    ) -> VideoModel:
        """Load the components.

        Args:
            model: The model's folder.
            placement: Device, dtype and offload.
            finished: Called after the libraries and after each component; may raise, which ends the loading.
            shortcuts: Compute in cheaper ways that equal diffusers' results within rounding; without, bit for bit.
        """
        ...


LIBRARIES = "libraries"


def parts(family: Family) -> tuple[str, ...]:
    """Return the names of what is loaded, in order; the first one is the import of the libraries."""
    return (LIBRARIES, *(component.name for component in family.components))
