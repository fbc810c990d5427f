"""Load a Wan 2.2 TI2V folder into memory, and give sampling what it asks of a model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ....presets.options import ScheduleName
from ..base import FamilyOptions, ModelFolder, NoiseSchedule, Window
from ..flow.folder import TRANSFORMER, VAE, FlowFolders
from ..flow.model import FlowModel, load_components, read_replaced
from ..flow.schedule import fixed_schedule
from ..placement import Placement
from ..weights.light_import import light_diffusers
from ..weights.reading import quiet, read_narrowest
from . import vae as vae_module
from .denoiser import Inputs, WanDenoiser
from .folder import CHANNELS, FOLDERS, SIDE
from .pieces import compute as compute_block
from .prompts import NEGATIVE, PROMPT_EMBEDS, padded
from .random_model import build
from .schedule import noise_schedule

IMAGE = "image"
"""Name of the tensor that the VAE makes of the photo: (1, channels, h, w), not scaled."""


@dataclass
class WanModel(FlowModel):
    """A `VideoModel` in memory. The text encoder is no part of it (`prompts.py`).

    Attributes:
        transformer: WanTransformer3DModel.
        vae: AutoencoderKLWan.
    """

    names = (VAE, TRANSFORMER)
    denoiser_name = TRANSFORMER
    compute_block = staticmethod(compute_block)

    transformer: Any
    vae: Any

    @property
    def latent_size(self) -> tuple[int, int]:
        """Return those of the 5B model's VAE; see `FlowModel`."""
        return CHANNELS, SIDE

    def encode(
        self, photo: Image.Image, options: FamilyOptions, generator: torch.Generator, last: Image.Image | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the photo's latent; see `VideoModel`."""
        return {IMAGE: vae_module.encode(self.bring(VAE), photo, self.device)}

    def schedule(self, steps: int, kind: ScheduleName, frames: int, width: int, height: int) -> NoiseSchedule:
        """Return shifted levels, or a distilled model's own; see `VideoModel`."""
        sampling = self.model.preset.sampling
        if sampling.sigmas:
            return fixed_schedule(sampling.sigmas, steps, sampling.solver)
        return noise_schedule(steps, sampling.shift, sampling.solver)

    def beginning(self, conditioning: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the photo's latent: the first frame is the photo; see `VideoModel`."""
        return vae_module.scaled(self.vae, conditioning[IMAGE].unsqueeze(1))

    def denoiser(self, conditioning: Mapping[str, torch.Tensor], options: FamilyOptions, window: Window) -> WanDenoiser:
        """Return D(x; σ) of one window; see `VideoModel`."""
        inputs = Inputs(padded(conditioning[PROMPT_EMBEDS], self.dtype), padded(conditioning[NEGATIVE], self.dtype))
        return WanDenoiser(partial(self.bring, TRANSFORMER), inputs, window)

    def decode(self, latents: torch.Tensor, chunk: int, seed: int = 0) -> Iterator[np.ndarray]:
        """Yield frames as they are decoded; see `VideoModel`."""
        return vae_module.decode(self.bring(VAE), latents, self.device, chunk)


def load(
    model: ModelFolder,
    placement: Placement,
    finished: Callable[[str], None] = lambda part: None,
    shortcuts: bool = True,
) -> WanModel:
    """Read VAE and transformer, on the calling thread.

    Args:
        model: The folder; a random one is built first where it is missing.
        placement: Where and how to compute.
        finished: Called with `LIBRARIES` and with each component's name; may raise, which ends the loading.
        shortcuts: There are none yet: the numbers are diffusers' own.

    Raises:
        ModelError: A file is missing, damaged or of another architecture.
    """
    fingerprint, kinds, read = open_folder(model, FOLDERS, build, placement)
    components = load_components(kinds, read, model, FOLDERS, placement, finished, compute_block)
    return WanModel(model, fingerprint, placement, **components)


def open_folder(
    model: ModelFolder, folders: FlowFolders, build: Callable[[Path], Path], placement: Placement
) -> tuple[str, dict[str, Any], Callable[[Any, str], Any]]:
    """Import diffusers' classes, and check the folder of one of Wan's models.

    Args:
        model: The folder.
        folders: Its family's.
        build: Builds a random one, which is done first where it is missing.
        placement: Where and how to compute.

    Returns:
        The folder's fingerprint; the classes of VAE and transformer, by their names; and what reads a component, given
        its class and name.

    Raises:
        ModelError: A file is missing, damaged or of another architecture.
    """
    # Not at the top of the file: importing diffusers takes a second, which belongs to the loading that is shown.
    with light_diffusers():
        from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
        from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
    quiet()

    if model.random:
        build(model.folder)
    files = folders.check(model.folder, model.preset)

    def read(kind: Any, part: str) -> Any:
        if found := read_replaced(model, folders, kind, part, placement.dtype):
            return found
        return read_narrowest(kind, model.folder / part, files.variants[part], placement.dtype)

    return files.fingerprint, {VAE: AutoencoderKLWan, TRANSFORMER: WanTransformer3DModel}, read
