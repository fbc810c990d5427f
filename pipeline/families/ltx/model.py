"""Load an LTX-Video folder into memory, and give sampling what it asks of a model."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from ....errors import ModelError
from ....messages import msg
from ....presets.options import ScheduleName
from ..base import FamilyOptions, ModelFiles, ModelFolder, NoiseSchedule, Window
from ..flow.folder import TRANSFORMER, VAE
from ..flow.model import FlowModel, load_components, read_replaced
from ..flow.schedule import fixed_schedule
from ..placement import Placement
from ..weights.light_import import light_diffusers
from ..weights.reading import quiet, read_component, read_narrowest
from . import vae as vae_module
from .chunks import STRIDE
from .chunks import latents as in_latents
from .denoiser import Inputs, LtxDenoiser, Prompt
from .folder import FOLDERS
from .options import LtxOptions
from .pieces import compute as compute_block
from .prompts import MASK, NEGATIVE, NEGATIVE_MASK, PROMPT_EMBEDS
from .random_model import build
from .sampling import levels

IMAGE = "image"
"""Name of the tensor that the VAE makes of the photo: (1, channels, h, w), sampled, not scaled."""
LAST = "last"
"""The same of the picture that the video ends with, where one was given."""


@dataclass
class LtxModel(FlowModel):
    """A `VideoModel` in memory. The text encoder is no part of it (`prompts.py`).

    Attributes:
        transformer: LTXVideoTransformer3DModel.
        vae: AutoencoderKLLTXVideo.
    """

    names = (VAE, TRANSFORMER)
    denoiser_name = TRANSFORMER
    compute_block = staticmethod(compute_block)

    transformer: Any
    vae: Any

    @property
    def latent_size(self) -> tuple[int, int]:
        """Return the VAE's; see `FlowModel`."""
        return self.vae.config.latent_channels, self.vae.spatial_compression_ratio

    def encode(
        self, photo: Image.Image, options: FamilyOptions, generator: torch.Generator, last: Image.Image | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the pictures' latents; see `VideoModel`."""
        pictures = {IMAGE: photo} if last is None else {IMAGE: photo, LAST: last}
        vae = self.bring(VAE)
        return {name: vae_module.encode(vae, one, self.device, generator) for name, one in pictures.items()}

    def schedule(self, steps: int, kind: ScheduleName, frames: int, width: int, height: int) -> NoiseSchedule:
        """Return a distilled model's own noise levels, or those of `sampling.levels`; see `VideoModel`."""
        sampling, (_, side) = self.model.preset.sampling, self.latent_size
        if sampling.sigmas:
            return fixed_schedule(sampling.sigmas, steps, sampling.solver)
        tokens = frames * (width // side) * (height // side)
        return fixed_schedule(tuple(levels(kind, steps, tokens, sampling.shift)), steps)

    def beginning(self, conditioning: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the photo's latent: the first frame is the photo; see `VideoModel`."""
        return vae_module.scaled(self.vae, conditioning[IMAGE].unsqueeze(1))

    def denoiser(self, conditioning: Mapping[str, torch.Tensor], options: FamilyOptions, window: Window) -> LtxDenoiser:
        """Return D(x; σ) of one window; see `VideoModel`."""
        assert isinstance(options, LtxOptions)
        _, side = self.latent_size
        scale = (STRIDE / options.fps, side, side)
        end = self._end(conditioning, options) if window.last else None
        prompt = Prompt(conditioning[PROMPT_EMBEDS].to(self.dtype), conditioning[MASK])
        negative = (
            Prompt(conditioning[NEGATIVE].to(self.dtype), conditioning[NEGATIVE_MASK])
            if NEGATIVE in conditioning
            else None
        )
        # A later window begins with latents that stand for eight frames each.
        causal = bool(options.causal) and window.before is None
        inputs = Inputs(prompt, negative, scale, end, window.spare, options.behind, causal)
        return LtxDenoiser(partial(self.bring, TRANSFORMER), inputs, window)

    def _end(self, conditioning: Mapping[str, torch.Tensor], options: LtxOptions) -> torch.Tensor | None:
        """Return the latent of the picture that the video ends with: the photo in a loop. None = it is not known."""
        image = conditioning.get(LAST, conditioning[IMAGE] if options.loop else None)
        return None if image is None else vae_module.scaled(self.vae, image.unsqueeze(1))[:, 0]

    def decode(self, latents: torch.Tensor, chunk: int, seed: int = 0) -> Iterator[np.ndarray]:
        """Yield frames chunk by chunk; see `VideoModel`."""
        return vae_module.decode(self.bring(VAE), latents, self.device, in_latents(chunk), seed)


def load(
    model: ModelFolder,
    placement: Placement,
    finished: Callable[[str], None] = lambda part: None,
    shortcuts: bool = True,
) -> LtxModel:
    """Read VAE and transformer, on the calling thread.

    Args:
        model: The folder; a random one is built first where it is missing.
        placement: Where and how to compute.
        finished: Called with `LIBRARIES` and with each component's name; may raise, which ends the loading.
        shortcuts: There are none yet: the numbers are diffusers' own.

    Raises:
        ModelError: A file is missing, damaged or of another architecture.
    """
    # Not at the top of the file: importing diffusers takes a second, which belongs to the loading that is shown.
    with light_diffusers():
        from diffusers.models.autoencoders.autoencoder_kl_ltx import AutoencoderKLLTXVideo
        from diffusers.models.transformers.transformer_ltx import LTXVideoTransformer3DModel
    quiet()

    if model.random:
        build(model.folder)
    files = FOLDERS.check(model.folder, model.preset)
    read = partial(_part, model, files, placement.dtype)
    kinds = {VAE: AutoencoderKLLTXVideo, TRANSFORMER: LTXVideoTransformer3DModel}
    components = load_components(kinds, read, model, FOLDERS, placement, finished, compute_block)
    return LtxModel(model, files.fingerprint, placement, **components)


def _part(model: ModelFolder, files: ModelFiles, dtype: torch.dtype, kind: Any, part: str) -> Any:
    folder = model.folder
    if found := read_replaced(model, FOLDERS, kind, part, dtype):
        return found
    if single := FOLDERS.single_file(folder):
        return read_component(
            single, lambda: (_from_single(kind, single, FOLDERS.config(folder, part), part, dtype), [])
        )
    return read_narrowest(kind, folder / part, files.variants[part], dtype)


def _from_single(kind: Any, file: Path, known: dict[str, Any], part: str, dtype: torch.dtype) -> Any:
    """Read a component of the single file. diffusers wants its configuration as a folder."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "config.json").write_text(json.dumps(known), encoding="utf-8")
        try:
            return nn.Module.to(kind.from_single_file(str(file), config=place, local_files_only=True), dtype=dtype)
        except NotImplementedError as e:  # torch's, of a weight for which the single file had no numbers
            raise _lacking(file, part) from e


def _lacking(file: Path, part: str) -> ModelError:
    return ModelError(msg("{file} lacks weights of the {part}; get that file of the model again", file=file, part=part))
