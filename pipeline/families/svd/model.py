"""Load a Stable Video Diffusion folder into memory, and give sampling what it asks of a model."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image

from ....errors import ModelError
from ....messages import msg
from ....presets.options import ScheduleName
from ..base import LIBRARIES, FamilyOptions, MemoryPlan, NoiseSchedule, Window
from ..placement import Placement
from ..placement import choose_placement as choose_placement  # tests and benches take all of loading from here
from ..weights.components import Components, placed
from ..weights.light_import import light_diffusers
from ..weights.reading import pretrained, quiet, read_component
from .clip.network import ClipImageEncoder, read_clip
from .clip.pixels import Normalisation, read_normalisation
from .conditioning import EMBEDDING, IMAGE, MicroConditioning, condition
from .cost import piece
from .decoding.vae import decode, suit_cpu
from .denoiser import Inputs, SvdDenoiser
from .folder import CONFIGS, IMAGE_ENCODER, PATCH_DECODER, UNET, VAE, ModelFiles, ModelFolder, check_folder
from .noise.schedule import noise_schedule
from .random_model import build

log = logging.getLogger(__name__)


@dataclass
class LoadedModel(Components):
    """A `VideoModel` in memory. Nothing here changes while a job runs; `encode` restores the VAE's dtype.

    Attributes:
        unet: UNetSpatioTemporalConditionModel.
        vae: AutoencoderKLTemporalDecoder.
        image_encoder: CLIP's.
        normalisation: Of the pixels that CLIP is given.
        scheduler: EulerDiscreteScheduler as its file says; `schedule` works on copies.
        arithmetic: Which numbers the UNet gives, as a part of checkpoints' keys (`shortcuts.ARITHMETIC`).
    """

    names = (IMAGE_ENCODER, VAE, UNET)
    denoiser_name = UNET

    unet: Any
    vae: Any
    image_encoder: ClipImageEncoder
    normalisation: Normalisation
    scheduler: Any
    arithmetic: int = 0

    @property
    def latent_dtype(self) -> torch.dtype:
        """Type of the latents between two steps: the weights', as in the stock pipeline."""
        return self.placement.dtype

    def prepare(self, plan: MemoryPlan) -> None:
        """Set forward chunking as the plan has it; see `VideoModel`."""
        self.chunk_forward(piece(plan))

    def chunk_forward(self, numbers: int | None) -> None:
        """Set forward chunking: the most numbers that a feed-forward layer takes at once (`cost.piece`); None = all."""
        from .feed_forward import set_pieces

        set_pieces(self.unet, numbers)

    def encode(
        self, photo: Image.Image, options: FamilyOptions, generator: torch.Generator, last: Image.Image | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the photo's CLIP embedding and its VAE latent; see `VideoModel`."""
        assert isinstance(options, MicroConditioning)
        return condition(self, photo, options.noise_aug, generator)

    def schedule(self, steps: int, kind: ScheduleName, frames: int, width: int, height: int) -> NoiseSchedule:
        """Return the noise levels of the model's own scheduler; see `VideoModel`."""
        return noise_schedule(self.scheduler, steps, kind, self.device)

    def latent_shape(self, frames: int, width: int, height: int) -> tuple[int, ...]:
        """Return (1, frames, channels, h, w) of a window. width, height: pixels sampled."""
        factor = self.vae_factor
        return 1, frames, self.vae.config.latent_channels, height // factor, width // factor

    def noise(
        self, frames: int, width: int, height: int, draw: Callable[[Sequence[int]], torch.Tensor]
    ) -> torch.Tensor:
        """Draw a window's noise; see `VideoModel`."""
        return draw(self.latent_shape(frames, width, height))

    def beginning(self, conditioning: Mapping[str, torch.Tensor]) -> None:
        """Return None: the photo is no frame of the video; see `VideoModel`."""

    def denoiser(self, conditioning: Mapping[str, torch.Tensor], options: FamilyOptions, window: Window) -> SvdDenoiser:
        """Return D(x; σ) of one window; see `VideoModel`.

        Later windows may start from latents instead of the photo; the photo's embedding stays.
        """
        assert isinstance(options, MicroConditioning)
        image = conditioning[IMAGE]
        if window.start is not None:
            image = window.start / self.scaling  # the network is conditioned on latents that are not scaled
            if window.noise_aug is not None:
                options = replace(options, noise_aug=window.noise_aug)
            image = image + options.noise_aug * window.draw(image.shape)
        inputs = Inputs(conditioning[EMBEDDING], image, options.ids(self.dtype, self.device))
        return SvdDenoiser(partial(self.bring, UNET), window.schedule, inputs, window.guidance, window.effort)

    def preview_latents(self, conditioning: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the photo's latents, scaled; see `VideoModel`."""
        return conditioning[IMAGE] * self.scaling

    def decode(self, latents: torch.Tensor, chunk: int, seed: int = 0) -> Iterator[np.ndarray]:
        """Yield frames chunk by chunk, without noise; see `VideoModel`."""
        return decode(self, latents, chunk)

    @property
    def vae_factor(self) -> int:
        """Pixels to one latent pixel, along each side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def scaling(self) -> float:
        """Scaling factor: the UNet works on the VAE's latents times this."""
        return self.vae.config.scaling_factor


def load(
    model: ModelFolder,
    placement: Placement,
    finished: Callable[[str], None] = lambda part: None,
    shortcuts: bool = True,
) -> LoadedModel:
    """Read the components, on the calling thread.

    Args:
        model: The folder; a random one is built first where it is missing.
        placement: Where and how to compute.
        finished: Called with `LIBRARIES` and with each component's name when that part is there; may raise, which
            ends the loading (a cancelled job).
        shortcuts: Compute the UNet in the cheaper ways of `shortcuts.py`; without, its numbers are diffusers' bit for
            bit.

    Raises:
        ModelError: A file is missing, damaged or of another architecture.
    """
    # Not at the top of the file: importing diffusers takes a second, which belongs to the loading that is shown.
    with light_diffusers():
        from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
        from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
        from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
    quiet()

    from . import cpu_unet
    from .shortcuts import put_on

    if model.random:
        build(model.folder)
    files = check_folder(model.folder, model.preset)
    finished(LIBRARIES)
    folder, dtype = model.folder, placement.dtype
    variant = _variant(files, IMAGE_ENCODER, dtype)
    encoder = read_component(folder / IMAGE_ENCODER, lambda: read_clip(folder / IMAGE_ENCODER, variant, dtype))
    image_encoder = placed(encoder, placement)
    normalisation = read_normalisation(folder / CONFIGS["feature_extractor"])
    finished(IMAGE_ENCODER)
    vae = _part(AutoencoderKLTemporalDecoder, VAE, model, files, dtype)
    decoder_dtype = placement.decoder or dtype
    if PATCH_DECODER in files.variants:
        from .decoding.patch_decoder import PatchDecoder

        vae.decoder = _part(PatchDecoder, PATCH_DECODER, model, files, dtype)
        decoder_dtype = dtype
    if shortcuts and placement.device.type == "cpu":
        suit_cpu(vae.decoder, decoder_dtype)
    vae = placed(vae, placement)
    finished(VAE)
    unet = _part(UNetSpatioTemporalConditionModel, UNET, model, files, dtype)
    arithmetic = put_on(unet) if shortcuts else 0
    if shortcuts and placement.device.type == "cpu" and dtype == torch.float32:
        cpu_unet.suit_cpu(unet)
    unet = placed(unet, placement, denoiser=True)
    scheduler: Any = EulerDiscreteScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    _check_scheduler(folder, scheduler.config)
    finished(UNET)
    return LoadedModel(
        model, files.fingerprint, placement, unet, vae, image_encoder, normalisation, scheduler, arithmetic
    )


def _part(kind: Any, part: str, model: ModelFolder, files: ModelFiles, dtype: torch.dtype) -> Any:
    folder, variant = model.folder / part, _variant(files, part, dtype)
    return read_component(folder, lambda: pretrained(kind, folder, variant, torch_dtype=dtype))


def _variant(files: ModelFiles, part: str, dtype: torch.dtype) -> str:
    wanted = "fp16" if dtype != torch.float32 else ""
    return wanted if wanted in files.variants[part] else files.variants[part][0]


def _check_scheduler(folder: Any, config: Any) -> None:
    for key, wanted in {"prediction_type": "v_prediction", "timestep_type": "continuous"}.items():
        if config.get(key) != wanted:
            raise ModelError(
                msg(
                    "{folder}: scheduler_config.json says {key} = {value!r}; a Stable Video Diffusion model has "
                    "{wanted!r}: get that file of the model again",
                    folder=folder,
                    key=key,
                    value=config.get(key),
                    wanted=wanted,
                )
            )
