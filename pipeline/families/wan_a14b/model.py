"""Load a Wan 2.2 I2V-A14B folder into memory, and give sampling what it asks of a model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image

from ....presets.options import ScheduleName
from ..base import FamilyOptions, MemoryPlan, ModelFolder, NoiseSchedule, Offload, Window
from ..flow.cost import in_pieces
from ..flow.folder import TRANSFORMER, VAE
from ..flow.model import FlowModel, change_weights, load_components, lora_layers
from ..flow.pixels import photo_pixels
from ..flow.schedule import fixed_schedule
from ..placement import Placement
from ..wan import vae as vae_module
from ..wan.denoiser import Inputs
from ..wan.folder import STRIDE
from ..wan.model import IMAGE, open_folder
from ..wan.options import WanOptions
from ..wan.pieces import compute as compute_block
from ..wan.prompts import NEGATIVE, PROMPT_EMBEDS, padded
from ..wan.schedule import distilled_schedule, noise_schedule
from ..weights.offload import CPU, HOOKED
from ..weights.pieces import allow_pieces, set_pieces
from . import FAMILY
from .condition import condition, encode_beginning, encode_ends
from .cost import in_turn
from .denoiser import A14BDenoiser
from .experts import Experts
from .folder import CHANNELS, EXPERTS, FOLDERS, SIDE
from .random_model import build

ENDS = "ends"
"""Name of the tensor with the pixels of the photo and of the picture that the video ends with, (1, 3, 2, h, w)."""

CONTEXT = 5
"""Latent frames that are decoded to see a window's last frame: 17 frames, of which the last one counts."""


@dataclass
class A14BModel(FlowModel):
    """A `VideoModel` in memory. The text encoder is no part of it (`wan/prompts.py`).

    Attributes:
        vae: AutoencoderKLWan.
        experts: The two WanTransformer3DModel.
        boundary: Noise levels from this on are the first transformer's, 0..1.
    """

    names = (VAE,)
    denoiser_name = TRANSFORMER
    compute_block = staticmethod(compute_block)

    vae: Any
    experts: Experts
    boundary: float
    _chunk: int = field(default=STRIDE, init=False)

    @property
    def latent_size(self) -> tuple[int, int]:
        """Return those of Wan 2.1's VAE; see `FlowModel`."""
        return CHANNELS, SIDE

    @property
    def whole(self) -> bool:
        """Whether no component lies half here, half there; see `VideoModel`."""
        return super().whole and self.experts.whole

    def bring(self, part: str) -> Any:
        """Return a component, moved to where it computes; a transformer is read when its turn comes."""
        offloaded = self.placement.offload is not Offload.NONE
        if part in EXPERTS:
            if offloaded:
                self._move(VAE, CPU)
            expert = self.experts.bring(part)
            set_pieces(expert, compute_block, self.experts.in_pieces)
            return expert
        if offloaded:
            self.experts.leave()
        return super().bring(part)

    def prepare(self, plan: MemoryPlan) -> None:
        """Keep both transformers in RAM, or one at a time, as the plan says; see `VideoModel`."""
        self.experts.both = not in_turn(plan)
        self.experts.in_pieces = in_pieces(plan)
        self._chunk = plan.decode_chunk
        if not self.experts.both and len(self.experts.here) > 1:
            self.experts.release()

    def encode(
        self, photo: Image.Image, options: FamilyOptions, generator: torch.Generator, last: Image.Image | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the latents of the photo and the empty frames behind it, of a whole window; see `VideoModel`."""
        assert isinstance(options, WanOptions)
        last = photo if options.loop else last
        latents = FAMILY.geometry.latents(self.model.preset.frames)
        found = {IMAGE: encode_beginning(self.bring(VAE), photo, latents, self.device)}
        if last is not None:
            found[ENDS] = torch.cat([self._pixels(one) for one in (photo, last)], dim=2).contiguous()
        return found

    def schedule(self, steps: int, kind: ScheduleName, frames: int, width: int, height: int) -> NoiseSchedule:
        """Return shifted levels, or a distilled model's own; see `VideoModel`."""
        sampling = self.model.preset.sampling
        if sampling.sigmas:
            return fixed_schedule(sampling.sigmas, steps, sampling.solver)
        if sampling.solver == "unipc":
            return noise_schedule(steps, sampling.shift, sampling.solver)
        return distilled_schedule(steps, sampling.shift)

    def beginning(self, conditioning: Mapping[str, torch.Tensor]) -> None:
        """Return None: the photo's frame is sampled like the others, beside the photo; see `VideoModel`."""

    def preview_latents(self, conditioning: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the photo's latents, scaled; see `VideoModel`."""
        return vae_module.scaled(self.vae, conditioning[IMAGE][:, :1])[:, 0]

    def denoiser(
        self, conditioning: Mapping[str, torch.Tensor], options: FamilyOptions, window: Window
    ) -> A14BDenoiser:
        """Return D(x; σ) of one window, which begins with the photo or the earlier one's last frame."""
        known, end = conditioning[IMAGE], None
        first = None if window.before is None else self._last_frame(window.before)
        if window.last and ENDS in conditioning:
            begins, ends = conditioning[ENDS].split(1, dim=2)
            begins = begins if first is None else self._pixels(first)
            end = window.frames - 1 - window.spare
            known = encode_ends(self.bring(VAE), begins, ends, end, window.frames)
        elif first is not None:
            known = encode_beginning(self.bring(VAE), first, known.shape[1], self.device)
        inputs = Inputs(padded(conditioning[PROMPT_EMBEDS], self.dtype), padded(conditioning[NEGATIVE], self.dtype))
        return A14BDenoiser(self.bring, inputs, window, condition(self.vae, known, end), self.boundary)

    def _pixels(self, picture: Image.Image) -> torch.Tensor:
        return photo_pixels(picture, self.device, self.vae.dtype).contiguous()

    def _last_frame(self, latents: torch.Tensor) -> Image.Image:
        """Return the last frame of (1, n, channels, h, w), as it will be shown but for frames long before it."""
        *_, frames = self.decode(latents[:, -CONTEXT:], self._chunk)
        return Image.fromarray(frames[-1])

    def decode(self, latents: torch.Tensor, chunk: int, seed: int = 0) -> Iterator[np.ndarray]:
        """Yield frames as they are decoded; see `VideoModel`."""
        return vae_module.decode(self.bring(VAE), latents, self.device, chunk)


def load(
    model: ModelFolder,
    placement: Placement,
    finished: Callable[[str], None] = lambda part: None,
    shortcuts: bool = True,
) -> A14BModel:
    """Read the VAE, on the calling thread. The transformers are read when they are needed (`Experts`).

    Args:
        model: The folder; a random one is built first where it is missing.
        placement: Where and how to compute.
        finished: Called with `LIBRARIES` and with each component's name; may raise, which ends the loading.
        shortcuts: There are none yet: the numbers are diffusers' own.

    Raises:
        ModelError: A file is missing, damaged or of another architecture, or a LoRA's is.
    """
    fingerprint, kinds, read = open_folder(model, FOLDERS, build, placement)
    layers = [lora_layers(model, FOLDERS, expert) for expert in range(len(EXPERTS))]
    vae = load_components({VAE: kinds[VAE]}, read, model, FOLDERS, placement, finished, compute_block)[VAE]

    def read_expert(part: str) -> Any:
        transformer, expert = read(kinds[TRANSFORMER], part), EXPERTS.index(part)
        change_weights(transformer, model, layers[expert], placement, expert)
        if placement.offload in HOOKED:
            allow_pieces(transformer, compute_block)
        return transformer

    return A14BModel(
        model, fingerprint, placement, vae, Experts(read_expert, placement), FOLDERS.boundary(model.folder)
    )
