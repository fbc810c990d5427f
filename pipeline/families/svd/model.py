"""Load a Stable Video Diffusion folder into memory, and give sampling what it asks of a model."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from ....errors import ModelError
from ....messages import msg
from ...hardware.oom import is_oom
from ..base import LIBRARIES, FamilyOptions, MemoryPlan, NoiseSchedule, Offload, Window
from ..offload import HOOKED, Masters, hook
from ..placement import Placement
from ..placement import choose_placement as choose_placement  # tests and benches take all of loading from here
from .conditioning import EMBEDDING, IMAGE, MicroConditioning, condition
from .cost import piece
from .denoiser import Inputs, SvdDenoiser
from .folder import IMAGE_ENCODER, UNET, VAE, ModelFiles, ModelFolder, check_folder
from .noise.schedule import noise_schedule
from .random_model import build
from .vae import decode, suit_cpu

log = logging.getLogger(__name__)


@dataclass
class LoadedModel:
    """A `VideoModel` in memory. Nothing here changes while a job runs; `encode` restores the VAE's dtype.

    Attributes:
        model: The folder it was read from.
        fingerprint: Of the folder's files.
        placement: Where and how it computes.
        unet: UNetSpatioTemporalConditionModel.
        vae: AutoencoderKLTemporalDecoder.
        image_encoder: CLIPVisionModelWithProjection.
        feature_extractor: CLIP's image processor.
        scheduler: EulerDiscreteScheduler as its file says; `schedule` works on copies.
        arithmetic: Which numbers the UNet gives, as a part of checkpoints' keys (`shortcuts.ARITHMETIC`).
    """

    model: ModelFolder
    fingerprint: str
    placement: Placement
    unet: Any
    vae: Any
    image_encoder: Any
    feature_extractor: Any
    scheduler: Any
    arithmetic: int = 0
    _masters: Masters = field(default_factory=Masters, repr=False)

    def __post_init__(self) -> None:
        self._loaded_as = self._numbers()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.placement.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights and activations."""
        return self.placement.dtype

    @property
    def latent_dtype(self) -> torch.dtype:
        """Type of the latents between two steps: the weights', as in the stock pipeline."""
        return self.placement.dtype

    def bring(self, part: str) -> Any:
        """Move a component to where it computes and return it. With offload, the others make room for it first.

        Args:
            part: `unet`, `vae` or `image_encoder`.
        """
        if self.placement.offload is not Offload.NONE:
            for name in (IMAGE_ENCODER, VAE, UNET):
                if name != part:
                    self._move(name, torch.device("cpu"))
            self._move(part, self.device)
        return getattr(self, part)

    def _move(self, part: str, device: torch.device) -> None:
        if part == UNET and self.placement.offload in HOOKED:
            return  # its hooks move it, block by block or layer by layer
        component = getattr(self, part)
        if component.device.type == device.type:
            return
        if device.type == "cpu":
            self._masters.drop(part)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        else:
            self._masters.fetch(part, component, device)

    @property
    def whole(self) -> bool:
        """Whether each component is on one device as a whole, in the type of the placement.

        `.to()` moves and casts tensor by tensor: memory that runs out on the way leaves the rest where it was.
        """
        places = [{tensor.device.type for tensor in tensors} for tensors in self._tensors()]
        return all(len(found) == 1 for found in places) and self._numbers() == self._loaded_as

    def _tensors(self) -> list[list[torch.Tensor]]:
        return [list(getattr(self, name).parameters()) for name in (IMAGE_ENCODER, VAE, UNET)]

    def _numbers(self) -> list[torch.dtype]:
        return [tensor.dtype for tensors in self._tensors() for tensor in tensors]

    def prepare(self, plan: MemoryPlan) -> None:
        """Set forward chunking as the plan has it; see `VideoModel`."""
        self.chunk_forward(piece(plan))

    def chunk_forward(self, numbers: int | None) -> None:
        """Set forward chunking: the most numbers that a feed-forward layer takes at once (`cost.piece`); None = all."""
        from .feed_forward import set_pieces

        set_pieces(self.unet, numbers)

    def encode(self, photo: Image.Image, options: FamilyOptions, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the photo's CLIP embedding and its VAE latent; see `VideoModel`."""
        assert isinstance(options, MicroConditioning)
        return condition(self, photo, options.noise_aug, generator)

    def schedule(self, steps: int, kind: Literal["karras", "ays", "fixed"]) -> NoiseSchedule:
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
    _quiet()
    # Not at the top of the file: importing diffusers takes seconds, which belong to the loading that is shown.
    import transformers
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from diffusers.pipelines.stable_video_diffusion import pipeline_stable_video_diffusion  # noqa: F401 (conditioning)
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    from .shortcuts import put_on

    if model.random:
        build(model.folder)
    files = check_folder(model.folder, model.preset)
    finished(LIBRARIES)
    folder, dtype = model.folder, placement.dtype
    image_encoder = _placed(
        _part(transformers.CLIPVisionModelWithProjection, IMAGE_ENCODER, model, files, dtype=dtype),
        IMAGE_ENCODER,
        placement,
    )
    # The torchvision-free kind of the same processor: the plain name only warns that torchvision is absent.
    named = "CLIPImageProcessorPil" if hasattr(transformers, "CLIPImageProcessorPil") else "CLIPImageProcessor"
    processor = getattr(transformers, named)
    feature_extractor = processor.from_pretrained(folder / "feature_extractor", local_files_only=True)
    finished(IMAGE_ENCODER)
    vae = _part(AutoencoderKLTemporalDecoder, VAE, model, files, torch_dtype=dtype)
    if shortcuts and placement.device.type == "cpu":
        suit_cpu(vae.decoder, placement.decoder or dtype)
    vae = _placed(vae, VAE, placement)
    finished(VAE)
    unet = _part(UNetSpatioTemporalConditionModel, UNET, model, files, torch_dtype=dtype)
    arithmetic = put_on(unet) if shortcuts else 0
    unet = _placed(unet, UNET, placement)
    scheduler: Any = EulerDiscreteScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    _check_scheduler(folder, scheduler.config)
    finished(UNET)
    return LoadedModel(
        model, files.fingerprint, placement, unet, vae, image_encoder, feature_extractor, scheduler, arithmetic
    )


def _placed(component: Any, part: str, placement: Placement) -> Any:
    """Put a component on the device, or where it waits; `LoadedModel.bring` fetches it from there."""
    if placement.offload is Offload.NONE:
        return component.to(placement.device)
    if part == UNET and placement.offload in HOOKED:
        hook(component, placement.device, placement.offload)
    return component


def _part(kind: Any, part: str, model: ModelFolder, files: ModelFiles, **dtype: torch.dtype) -> Any:
    wanted = "fp16" if torch.float32 not in dtype.values() else ""
    variant = wanted if wanted in files.variants[part] else files.variants[part][0]
    folder = model.folder / part
    try:
        loaded, info = kind.from_pretrained(
            folder,
            variant=variant or None,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **dtype,
        )
    except Exception as e:  # the libraries raise OSError, ValueError, RuntimeError, KeyError and SafetensorError here
        if is_oom(e):
            raise  # these files are well
        raise ModelError(
            msg("{folder} could not be loaded: {error}; get these files of the model again", folder=folder, error=e)
        ) from e
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise ModelError(
            msg(
                "{folder} lacks {count} weights, the first is {first}; get these files of the model again",
                folder=folder,
                count=len(missing),
                first=missing[0],
            )
        )
    return loaded.requires_grad_(False).eval()


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


def _quiet() -> None:
    """The libraries' own progress bars and hints (torchvision is absent) would fill the worker's log."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
